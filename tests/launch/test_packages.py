"""The code that a sandbox gets: complete, or its program ends with ModuleNotFoundError; and nothing besides."""

import ast
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from pageworker_sandbox.launch import packages
from pageworker_sandbox.launch.errors import HostProblem
from pageworker_sandbox.launch.mounts import Bind
from pageworker_sandbox.launch.packages import GATEWAY_CODE, RUNNER_CODE, SHARED_CODE

ROOT = Path(__file__).parents[2]
ZONES = {"pageworker_sandbox": ROOT / "sandbox", "pageworker_runner": ROOT / "runner", "pageworker": ROOT / "runner"}


def files_of(names: tuple[str, ...]) -> Iterator[Path]:
    for name in (*names, *SHARED_CODE):
        path = ZONES[name.partition("/")[0]] / name
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def imports_of(file: Path) -> Iterator[str]:
    """What of ours a file imports when it is imported: `package.module`, dotted."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.startswith("pageworker"))
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pageworker"):
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("names", [RUNNER_CODE, GATEWAY_CODE], ids=["runner", "gateway"])
def test_whatever_the_code_inside_imports_is_inside(names: tuple[str, ...]) -> None:
    inside = set(files_of(names))
    for file in inside:
        for dotted in imports_of(file):
            package = dotted.partition(".")[0]
            path = ZONES.get(package, ROOT / "supervisor") / dotted.replace(".", "/")
            needed = [each for each in (path.with_suffix(".py"), path / "__init__.py") if each.is_file()]
            assert inside >= set(needed), f"{file.relative_to(ROOT)} imports {dotted}"


def test_every_part_that_is_named_is_installed() -> None:
    for names in (RUNNER_CODE, GATEWAY_CODE):
        assert isinstance(packages.code(names), list)


def binds_of(found: list[Bind] | HostProblem) -> set[str]:
    assert not isinstance(found, HostProblem)
    return {str(bind.inside) for bind in found}


def test_a_runner_gets_our_packages_in_parts() -> None:
    found = binds_of(packages.code(RUNNER_CODE))
    code = "/opt/pageworker/code"
    assert {
        f"{code}/pageworker_runner",
        f"{code}/pageworker_sandbox/wire",
        f"{code}/pageworker_sandbox/memfd.py",
    } <= found
    assert f"{code}/pageworker_sandbox" not in found
    assert not found & {f"{code}/pageworker_sandbox/{name}" for name in ("launch", "egress", "dialer", "signing")}


def test_the_gateway_gets_no_code_of_the_runner() -> None:
    found = binds_of(packages.code(GATEWAY_CODE))
    assert not [path for path in found if path.endswith(("/pageworker_runner", "/pageworker"))]


def test_third_party_packages_bring_the_libraries_of_their_wheels(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "greenlet").mkdir()
    (tmp_path / "greenlet.libs").mkdir()
    monkeypatch.setattr(packages, "_origin", lambda name: tmp_path / name)
    assert binds_of(packages.site(("greenlet",))) == {
        "/opt/pageworker/site/greenlet",
        "/opt/pageworker/site/greenlet.libs",
    }


def test_a_missing_package_is_a_problem_with_its_fix_unless_it_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_origin", lambda name: None)
    assert packages.site(tuple(packages.OPTIONAL_SITE)) == []
    problem = packages.site(("msgspec",))
    assert isinstance(problem, HostProblem)
    assert problem.mend == "pip install msgspec"
    assert isinstance(packages.code(("pageworker",)), HostProblem)


def test_a_missing_driver_is_a_problem_that_names_its_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert packages.driver() not in (None, Path())
    monkeypatch.setattr(packages, "_origin", lambda name: tmp_path)
    problem = packages.driver()
    assert isinstance(problem, HostProblem)
    assert problem.where == str(tmp_path / "driver/node")


@pytest.mark.parametrize("installed", ["1.64.9", "1.66.0", "1.66rc1", "2.0"])
def test_an_untested_playwright_is_a_problem_that_names_the_tested_releases(
    monkeypatch: pytest.MonkeyPatch, installed: str
) -> None:
    monkeypatch.setattr(packages, "version", lambda name: installed)
    problem = packages.driver()
    assert isinstance(problem, HostProblem)
    assert problem.what.startswith(f"Playwright {installed} is not a tested release")
    assert problem.mend == "pip install 'playwright>=1.65,<1.66'"


def test_a_missing_playwright_is_a_problem_with_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(packages, "version", nothing)
    problem = packages.driver()
    assert isinstance(problem, HostProblem)
    assert problem.what == "Playwright is not installed"


def test_the_sdk_installed_beside_the_product_is_a_problem_with_its_fix(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its uninstallation would take the product's SDK along."""
    assert packages.rival_distribution() is None
    metadata = tmp_path / "pageworker_sdk-1.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: pageworker-sdk\nVersion: 1.1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert packages.rival_distribution() is None, "without a RECORD, it is a folder that was built"
    (metadata / "RECORD").write_text("pageworker/__init__.py,,\n")
    problem = packages.rival_distribution()
    assert problem is not None
    assert problem.mend.startswith("pip uninstall pageworker-sdk")


def test_the_package_asks_for_the_tested_releases_of_playwright() -> None:
    (first, wanted), (before, limit) = packages.TESTED_PLAYWRIGHT
    asked = f"playwright>={first}.{wanted},<{before}.{limit}"
    for file in ("setup.cfg", "requirements/run.in"):
        assert asked in (ROOT / file).read_text().split(), file
    assert f'"{asked}"' in (ROOT / "runner/pyproject.toml").read_text()
