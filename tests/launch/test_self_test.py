"""The self-test of a host: it works here, and each known error has its fix."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from pw_sandbox.orphans import inherits_orphans

from pageworker_sandbox.launch import Host, HostProblem, procfs, self_test
from pageworker_sandbox.launch.launcher import main
from pageworker_sandbox.launch.self_test import mend_for, passing, verify_host
from pageworker_sandbox.sandbox_rights import ALLOW_NAMESPACES

HOST = Host(Path("/bin/bwrap"), Path("/bin/python"), {"full": Path("/opt/chromium")}, (), (), ())


@pytest.mark.sandbox
def test_this_host_passes(host: Host) -> None:
    assert verify_host(host) == host


@pytest.mark.sandbox
def test_it_leaves_no_zombie(host: Host) -> None:
    before = set(procfs.children(os.getpid()))
    with inherits_orphans():
        for _ in range(5):  # bubblewrap ends before init in some of them
            assert verify_host(host) == host
    assert set(procfs.children(os.getpid())) <= before


@pytest.mark.sandbox
def test_a_host_whose_interpreter_is_missing_says_so(host: Host) -> None:
    found = verify_host(replace(host, python=Path("/nonexistent/python")))
    assert isinstance(found, HostProblem)
    assert "/nonexistent/python" in found.what


def test_a_host_that_forbids_host_names_goes_without(monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    monkeypatch.setattr(self_test, "run_self_test", lambda tried: "bwrap: set hostname: no" if tried.renames else "")
    assert verify_host(host) == replace(host, renames=False)


@pytest.mark.parametrize(
    ("error", "part"),
    [
        ("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "unmask=ALL"),
        ("the browser's own sandbox cannot change its root: Operation not permitted", "container.json"),
        ("bwrap: setting up uid map: Permission denied", "user namespaces"),
        ("launcher: could not become the sandbox's user: [Errno 1]", "CAP_SETUID"),
        ("something else", ALLOW_NAMESPACES),
        ("Command '['python3']' timed out after 20.0 seconds", "the host is short of processor time"),
        ("bwrap: Creating new namespace failed: Resource temporarily unavailable", "the host is short of"),
    ],
)
def test_each_known_error_has_its_fix(error: str, part: str) -> None:
    assert part in mend_for(error)


@pytest.mark.parametrize(
    ("error", "may_pass"),
    [
        ("launcher: could not make a mount namespace: [Errno 12] Cannot allocate memory", True),
        ("bwrap: Creating new namespace failed: Resource temporarily unavailable", True),
        ("Command '['python3']' timed out after 20.0 seconds", True),
        ("bwrap: Creating new namespace failed: No space left on device", False),
        ("bwrap: setting up uid map: Permission denied", False),
    ],
)
def test_an_error_that_may_pass_is_known_as_such(monkeypatch: pytest.MonkeyPatch, error: str, may_pass: bool) -> None:
    assert passing(error) is may_pass
    monkeypatch.setattr(self_test, "run_self_test", lambda _: error)
    found = verify_host(HOST)
    assert isinstance(found, HostProblem)
    assert found.passing is may_pass


def test_what_only_the_browsers_own_sandbox_lacks_is_a_missing_right(monkeypatch: pytest.MonkeyPatch) -> None:
    error = "the browser's own sandbox cannot change its root: Operation not permitted"
    monkeypatch.setattr(self_test, "run_self_test", lambda _: error)
    found = verify_host(HOST)
    assert isinstance(found, HostProblem)
    assert found.what.startswith("the right chromium_sandbox is missing: ")
    assert self_test.BROWSER_SANDBOX_PROBE.count(self_test.BROWSER_SANDBOX) == 2


def test_the_errors_of_the_launcher_that_have_a_fix_are_steps_of_it() -> None:
    import inspect

    source = inspect.getsource(main)
    for part, _ in self_test.MENDS:
        if part in ("make a mount namespace", "become the sandbox's user"):
            assert f'"{part}"' in source
