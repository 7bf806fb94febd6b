"""The launcher program: its steps, and that a sandbox dies with its supervisor, even if all are stopped."""

import asyncio
import json
import marshal
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pw_sandbox import confined_child, gone, sandboxes

from pageworker_sandbox.launch import launcher

GONE_SECONDS = 2.0
CHECKOUT = Path(__file__).resolve().parents[2]
IN_LAUNCHER = "from pageworker_sandbox.launch import launcher\n"


def test_limits_are_set_soft_and_hard_and_never_raised() -> None:
    code = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
launcher.limit([(resource.RLIMIT_NOFILE, 50), (resource.RLIMIT_FSIZE, 1 << 20)])
launcher.limit([(resource.RLIMIT_NOFILE, 80)])
answer = [resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_FSIZE)]
"""
    assert confined_child.run(IN_LAUNCHER + code) == [[50, 50], [1 << 20, 1 << 20]]


def test_the_signals_of_a_services_stop_are_ignored_by_what_it_becomes() -> None:
    code = """
launcher.ignore_signals()
status = open("/proc/self/status").read()
answer = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn")), 16)
"""
    ignored = confined_child.run(IN_LAUNCHER + code)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        assert ignored >> (number - 1) & 1


def test_a_launcher_whose_parent_has_ended_ends_too() -> None:
    with pytest.raises(OSError, match="the supervisor has already ended"):
        _in_child("launcher.die_with(1 if os.getppid() != 1 else 2)")


def _in_child(code: str) -> None:
    told = confined_child.run(f"""{IN_LAUNCHER}
try:
    {code}
    answer = None
except OSError as error:
    answer = str(error)
""")
    if told is not None:
        raise OSError(told)


def test_a_failed_call_names_what_it_was_about() -> None:
    with pytest.raises(OSError, match="/nonexistent/x") as caught:
        launcher.mount(None, "/nonexistent/x", None, launcher.MS_BIND)
    assert caught.value.errno


def test_no_step_changes_this_process() -> None:
    launcher.become(None)
    launcher.join_cgroups([])
    launcher.limit([])
    assert resource.getrlimit(resource.RLIMIT_CORE)


def test_what_is_bound_is_what_was_checked(tmp_path: Path) -> None:
    folder, link = tmp_path / "folder", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder)
    checked = os.open(folder, os.O_PATH)
    for other in (link, tmp_path):
        with pytest.raises(OSError, match=f"{other} was exchanged"):
            launcher.open_source(str(other), checked)
    opened = launcher.open_source(str(folder), checked)
    assert os.path.samestat(os.fstat(opened), folder.stat())
    os.close(opened)
    # bubblewrap must not inherit it.
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(checked)
    os.close(launcher.open_source(str(link), None))


@pytest.mark.sandbox
def test_a_plan_that_cannot_be_carried_out_ends_with_one_line() -> None:
    plan_fd = os.memfd_create("plan")
    plan = {
        "cgroups": ["/nonexistent"],
        "limits": [],
        "uid": None,
        "stage": "/tmp",
        "items": [],
        "argv": [],
        "parent": 1,
    }
    os.write(plan_fd, marshal.dumps(plan | {"argv": [], "parent": 1}))
    os.lseek(plan_fd, 0, os.SEEK_SET)
    try:
        ended = subprocess.run(
            [sys.executable, "-I", "-S", launcher.__file__, str(plan_fd)],
            pass_fds=[plan_fd],
            capture_output=True,
            text=True,
        )
    finally:
        os.close(plan_fd)
    assert ended.returncode == launcher.FAILED
    assert ended.stderr.startswith("launcher: could not join the cgroup: ")
    assert ended.stderr.count("\n") == 1


async def supervisor(profile: Path) -> tuple[asyncio.subprocess.Process, list[int]]:
    if sandboxes.UID is None:
        profile.mkdir()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pw_sandbox.supervisor", str(profile), str(sandboxes.HEADLESS)),
        stdout=subprocess.PIPE,
        cwd=CHECKOUT / "tests",
    )
    assert process.stdout is not None
    started = json.loads(await process.stdout.readline())
    assert len(started["pids"]) > 6
    return process, started["pids"]


@pytest.mark.sandbox
@pytest.mark.browser
async def test_the_whole_tree_dies_with_the_supervisor(profile: Path) -> None:
    process, pids = await supervisor(profile)
    tree = gone.watch(pids)
    process.kill()
    await process.wait()
    assert gone.left(tree, GONE_SECONDS) == set()


@pytest.mark.sandbox
@pytest.mark.browser
async def test_the_whole_tree_dies_with_bubblewrap_even_where_all_are_stopped(profile: Path) -> None:
    process, pids = await supervisor(profile)
    tree = gone.watch(pids)
    for pid in reversed(pids):
        os.kill(pid, signal.SIGSTOP)
    os.kill(pids[0], signal.SIGKILL)
    assert gone.left(tree, GONE_SECONDS) == set()
    assert await process.wait() == 0


@pytest.mark.sandbox
@pytest.mark.browser
async def test_stopped_trees_die_with_the_supervisor(profile: Path) -> None:
    process, pids = await supervisor(profile)
    tree = gone.watch(pids)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    process.kill()
    await process.wait()
    assert gone.left(tree, GONE_SECONDS) == set()
