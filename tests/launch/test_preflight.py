"""The survey of a host: every problem at once, each with its fix."""

import os
from pathlib import Path

import pytest
from pw_sandbox import sandboxes

from pageworker_sandbox.launch import HostUnfit, preflight, procfs, survey
from pageworker_sandbox.launch.errors import HostProblem
from pageworker_sandbox.launch.preflight import Findings
from pageworker_sandbox.launch.right_probes import ProbedRight
from pageworker_sandbox.sandbox_rights import ESSENTIAL, NAMES, RightName, right_of


def test_this_host_is_fit_and_says_what_it_found() -> None:
    host = survey(None, None)
    assert host.browsers == {"full": sandboxes.FULL, "shell": sandboxes.HEADLESS}
    assert host.python.name.startswith("python3")
    assert host.rights >= set(ESSENTIAL)


def test_all_problems_come_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostUnfit) as caught:
        survey(Path("/bin/cat"), Path("/usr/bin/chromium"))
    problems = {problem.what: problem for problem in caught.value.problems}
    assert len(problems) == 3
    text = str(caught.value)
    assert "bubblewrap is not installed" in text
    assert "no Python" in text
    assert "wrapper script" in text
    assert all(problem.mend and problem.where for problem in problems.values())


@pytest.mark.parametrize("name", NAMES)
def test_every_missing_right_that_is_required_is_told_with_loss_and_mend(
    monkeypatch: pytest.MonkeyPatch, name: RightName
) -> None:
    nothing = {other: ProbedRight(False, "not here") for other in NAMES if other != "chromium_sandbox"}
    monkeypatch.setattr(preflight, "probe_rights", lambda *_: nothing)
    required = tuple(dict.fromkeys((*ESSENTIAL, name)))
    with pytest.raises(HostUnfit) as caught:
        survey(None, sandboxes.HEADLESS, required=required)
    problems = caught.value.problems
    told = {one: problem for one in NAMES for problem in problems if f"the right {one} is missing" in problem.what}
    assert set(told) == {*ESSENTIAL, name} - {"chromium_sandbox"}
    for missing, problem in told.items():
        right = right_of(missing)
        assert problem.what == f"the right {missing} is missing: not here. {right.loss}"
        assert (problem.mend, problem.where) == (right.mend, "sandbox.require")


def test_a_missing_right_that_is_not_required_is_only_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    probed = {name: ProbedRight(name in ESSENTIAL, "") for name in NAMES if name != "chromium_sandbox"}
    monkeypatch.setattr(preflight, "probe_rights", lambda *_: probed)
    host = survey(None, sandboxes.HEADLESS)
    assert host.rights_by_name() == {name: name in ESSENTIAL for name in NAMES}
    assert host.required == set(ESSENTIAL)


def test_a_browser_that_is_not_there() -> None:
    with pytest.raises(HostUnfit, match=r"no browser found \(/nonexistent\)"):
        survey(None, Path("/nonexistent"))


def test_findings_keep_every_problem_and_pass_answers_on() -> None:
    findings = Findings()
    assert findings.take("answer") == "answer"
    for what in ("one", "two"):
        assert findings.take(HostProblem(what, "where", "fix")) is None
    assert [problem.what for problem in findings.problems] == ["one", "two"]


def test_root_without_a_capability_is_told_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(procfs, "own_capabilities", lambda: 1 << preflight.ROOT_NEEDS["SYS_ADMIN"])
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    problem = preflight.check_privilege()
    assert problem is not None
    assert "CAP_SETUID" in problem.what
    assert "CAP_SYS_ADMIN" not in problem.what
    assert "as an ordinary user: without any capability, or with CAP_SETGID and CAP_SETUID" in problem.mend
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert preflight.check_privilege() is None


def test_a_setuid_bubblewrap_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bwrap").touch()
    (tmp_path / "bwrap").chmod(0o4755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = preflight.find_bubblewrap()
    assert isinstance(found, HostProblem)
    assert "chmod u-s" in found.mend
