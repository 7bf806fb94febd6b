"""How a trial takes the host's way to its package sources into a container."""

from pathlib import Path

import pytest

from fresh.roots import LOCAL_FOLDER, PIP_SETTING, host_options


def test_local_package_sources_are_mounted_and_remote_ones_are_not() -> None:
    listed = (
        "global.extra-index-url='file:///srv/pypi/simple https://pypi.example/simple'\n:env:.find-links='/srv/wheels'\n"
    )
    settings = dict(PIP_SETTING.findall(listed))
    assert LOCAL_FOLDER.findall(settings["extra-index-url"]) == ["/srv/pypi"]
    assert LOCAL_FOLDER.findall(settings["find-links"]) == ["/srv/wheels"]


def test_the_hosts_settings_reach_the_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    options = host_options(tmp_path)
    assert f"PIP_FIND_LINKS={wheels}" in options
    assert f"{wheels}:{wheels}:ro" in options
    assert any(option.endswith(":/etc/resolv.conf:ro") for option in options)
