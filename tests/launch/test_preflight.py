"""The survey of a host: every problem at once, each with its fix."""

import os
from pathlib import Path

import pytest
from pw_sandbox import sandboxes

from pageworker_sandbox.launch import HostUnfit, preflight, survey
from pageworker_sandbox.launch.errors import HostProblem
from pageworker_sandbox.launch.preflight import Findings


def test_this_host_is_fit_and_says_what_it_found() -> None:
    host = survey(None, None)
    assert host.browsers == {"full": sandboxes.FULL, "shell": sandboxes.HEADLESS}
    assert host.python.name.startswith("python3")


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
    monkeypatch.setattr(preflight, "capabilities", lambda: 1 << preflight.ROOT_NEEDS["SYS_ADMIN"])
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    problem = preflight.check_privilege()
    assert problem is not None
    assert "CAP_SETUID" in problem.what
    assert "CAP_SYS_ADMIN" not in problem.what
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert preflight.check_privilege() is None


def test_a_setuid_bubblewrap_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bwrap").touch()
    (tmp_path / "bwrap").chmod(0o4755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = preflight.find_bubblewrap()
    assert isinstance(found, HostProblem)
    assert "chmod u-s" in found.mend
