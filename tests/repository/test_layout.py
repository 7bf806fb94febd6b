"""The folders must not shadow other people's packages."""

from pathlib import Path

import pytest

from pageworker_supervisor.config.settings import HttpSettings

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "folder", ["supervisor", "runner", "sandbox", "profiles", "seccomp", "tests", "tests/supervisor"]
)
def test_a_given_folder_is_no_package(folder: str) -> None:
    """`supervisor` would shadow supervisord's package, `seccomp` libseccomp's."""
    assert not (ROOT / folder / "__init__.py").exists()


def test_every_package_is_in_the_wheel() -> None:
    """setuptools ships only what is named: an unlisted subpackage vanishes."""
    listed = set((ROOT / "setup.cfg").read_text().split("packages =")[1].split("[")[0].split())
    found = {
        ".".join(init.parent.relative_to(ROOT / zone).parts)
        for zone in ("supervisor", "runner", "sandbox", "profiles")
        for init in (ROOT / zone).rglob("__init__.py")
    }
    listed.discard("install_requires")
    assert found == {name for name in listed if name.startswith("pageworker")}


def test_the_endpoints_of_the_image_listen_on_loopback_only() -> None:
    """Their answers contain names of tenants and jobs: an operator opens them by PAGEWORKER_HTTP__BIND."""
    lines = (ROOT / "Containerfile").read_text().splitlines()
    assert not [line for line in lines if "HTTP__BIND" in line and not line.startswith("#")]
    assert HttpSettings().bind.startswith("127.0.0.1:")
