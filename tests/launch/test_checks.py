"""The checks of `workerctl doctor` on this host, and on one where something is missing."""

from pathlib import Path

import pytest

from pageworker_sandbox.confine import landlock
from pageworker_sandbox.launch import checks
from pageworker_sandbox.launch.checks import check_browser, check_cgroup, check_landlock


def test_the_checks_are_all_good_here() -> None:
    assert [check for check in checks() if not check.ok] == []
    assert {check.name for check in checks()} >= {"bubblewrap", "user namespaces", "Landlock", "browser", "fonts"}


def test_a_check_that_fails_says_how_to_mend_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    failed = {check.name: check for check in checks() if not check.ok}
    assert set(failed) >= {"bubblewrap", "user namespaces", "fresh /proc", "a whole sandbox"}
    assert all(check.mend for check in failed.values())


@pytest.mark.parametrize(
    ("version", "ok", "found"), [(0, False, "none"), (3, True, "before ABI 6"), (6, True, "ABI 6")]
)
def test_landlock_is_required_and_what_it_lacks_is_told(
    monkeypatch: pytest.MonkeyPatch, version: int, ok: bool, found: str
) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: version)
    check = check_landlock()
    assert check.ok is ok
    assert found in check.found


def test_a_host_without_a_cgroup_is_ok_and_told_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pageworker_sandbox.launch.cgroup.find_root", lambda: None)
    check = check_cgroup()
    assert check.ok
    assert "Delegate=yes" in check.mend


def test_a_missing_browser_is_named() -> None:
    check = check_browser(Path("/nonexistent/chrome"))
    assert not check.ok
    assert "/nonexistent/chrome" in check.found
    assert "apt install chromium" in check.mend
