"""Which Python packages a sandbox gets, and problems with those that are missing."""

from pathlib import Path

import pytest

from pageworker_sandbox.launch import packages
from pageworker_sandbox.launch.errors import HostProblem
from pageworker_sandbox.launch.mounts import Bind


def inside(found: list[Bind] | HostProblem) -> set[str]:
    assert not isinstance(found, HostProblem)
    return {str(bind.inside) for bind in found}


def test_a_runner_gets_our_packages_in_parts() -> None:
    found = inside(packages.code(packages.RUNNER_CODE))
    code = "/opt/pageworker/code"
    assert {
        f"{code}/pageworker_runner",
        f"{code}/pageworker_sandbox/wire",
        f"{code}/pageworker_sandbox/memfd.py",
    } <= found
    assert f"{code}/pageworker_sandbox" not in found
    assert not found & {f"{code}/pageworker_sandbox/{name}" for name in ("launch", "egress", "dialer", "signing")}


def test_the_gateway_gets_no_code_of_the_runner() -> None:
    found = inside(packages.code(packages.GATEWAY_CODE))
    assert not [path for path in found if path.endswith(("/pageworker_runner", "/pageworker"))]


def test_third_party_packages_bring_the_libraries_of_their_wheels(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "greenlet").mkdir()
    (tmp_path / "greenlet.libs").mkdir()
    monkeypatch.setattr(packages, "_origin", lambda name: tmp_path / name)
    assert inside(packages.site(("greenlet",))) == {
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
