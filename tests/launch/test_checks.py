"""The checks of `workerctl doctor` on this host, and on one where something is missing."""

from pathlib import Path

import pytest

from pageworker_sandbox.launch import checks
from pageworker_sandbox.launch.checks import check_browser, right_check
from pageworker_sandbox.launch.right_probes import ProbedRight
from pageworker_sandbox.sandbox_rights import ESSENTIAL, NAMES, RightName, right_of


def test_the_checks_are_all_good_here() -> None:
    assert [check for check in checks() if not check.ok] == []
    assert {check.name for check in checks()} >= {"bubblewrap", "fresh /proc", "browser", "fonts"}


def test_a_check_that_fails_says_how_to_mend_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    failed = {check.name: check for check in checks() if not check.ok}
    assert set(failed) >= {"bubblewrap", "userns", "fresh /proc", "a whole sandbox"}
    assert all(check.mend for check in failed.values())


def test_each_right_is_shown_once_and_as_required_or_not() -> None:
    found = {check.name: check for check in checks(required=(*ESSENTIAL, "landlock.net"))}
    assert set(found) >= set(NAMES)
    for name in NAMES:
        required = "required" if name in ESSENTIAL or name == "landlock.net" else "not required"
        assert found[name].found.startswith(f"there, {required}: ")


@pytest.mark.parametrize(("required", "ok"), [(NAMES, False), (ESSENTIAL, True)])
def test_a_missing_right_says_what_is_lost_and_how_to_get_it(required: tuple[RightName, ...], ok: bool) -> None:
    check = right_check(right_of("cgroup"), ProbedRight(False, "no cgroup can be created"), required)
    assert check.ok is ok
    word = "not required" if ok else "required"
    assert check.found.startswith(f"missing, {word}: no cgroup can be created. rlimits and the supervisor")
    assert "Delegate=memory pids cpu" in check.mend


def test_a_missing_browser_is_named() -> None:
    check = check_browser(Path("/nonexistent/chrome"))
    assert not check.ok
    assert "/nonexistent/chrome" in check.found
    assert "apt install chromium" in check.mend
