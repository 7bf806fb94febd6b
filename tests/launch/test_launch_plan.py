"""The plan that the launcher program gets: limits, staged mounts, and what is not staged."""

import marshal
import os
import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pageworker_sandbox.launch import launcher
from pageworker_sandbox.launch.launch_plan import DENY, STAGE, LaunchPlan, ProcessLimits, _staged_item, launcher_command
from pageworker_sandbox.launch.mounts import Bind, Data, Mask, MountMode, Scratch, Symlink

LIMITS = ProcessLimits(memory_bytes=1000, processes=7, open_files=8, file_bytes=9)
MOUNTS = (
    Bind(Path("/usr"), Path("/usr")),
    Mask(Path("/usr/x")),
    Bind(Path("/home/p"), Path("/profile"), MountMode.READ_WRITE, 8),
    Data("text", Path("/etc/hosts")),
    Symlink("usr/lib", Path("/lib")),
    Scratch(5, Path("/tmp"), 6),
)


def decoded(uid: int | None) -> dict[str, Any]:
    plan: dict[str, Any] = marshal.loads(LaunchPlan(MOUNTS, ["/bwrap"], uid, [Path("/cg")], LIMITS).encode())
    return plan


def test_a_plan_is_what_the_launcher_reads() -> None:
    plan = decoded(12)
    assert plan["items"] == [
        {"kind": "bind", "source": "/usr", "deny": DENY[MountMode.READ_ONLY], "checked": None},
        {"kind": "bind", "source": "/home/p", "deny": DENY[MountMode.READ_WRITE], "checked": 8},
        {"kind": "data", "text": "text"},
        {"kind": "scratch", "size": 5, "inodes": 6},
    ]
    assert (plan["parent"], plan["uid"], plan["cgroups"]) == (os.getpid(), 12, ["/cg"])
    assert (plan["stage"], plan["argv"]) == (STAGE, ["/bwrap"])


def test_the_number_of_processes_is_limited_here_only_for_a_user_of_its_own() -> None:
    # RLIMIT_NPROC counts all processes of a user: an ordinary user's other programs would be in it.
    assert dict(decoded(12)["limits"])[resource.RLIMIT_NPROC] == 7
    assert resource.RLIMIT_NPROC not in dict(decoded(None)["limits"])


def test_every_process_is_limited_and_dumps_no_core() -> None:
    limits = dict(LIMITS.rlimits(own_user=False))
    assert limits == {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_DATA: 1000,
        resource.RLIMIT_FSIZE: 9,
        resource.RLIMIT_NOFILE: 8,
    }


def test_a_process_may_map_more_than_its_memory_only_where_a_cgroup_counts_what_is_in_use() -> None:
    runner = replace(LIMITS, counted_data=2)
    counted = replace(runner, has_memory_cgroup=True)
    assert [dict(limits.rlimits(own_user=False))[resource.RLIMIT_DATA] for limits in (runner, counted)] == [1000, 2000]
    assert replace(LIMITS, has_memory_cgroup=True).data_bytes == 1000, "a gateway fails by its own limit first"


@pytest.mark.parametrize("mode", MountMode)
def test_no_mount_has_setuid_programs_and_only_devices_have_devices(mode: MountMode) -> None:
    assert DENY[mode] & launcher.MOUNT_ATTR_NOSUID
    assert bool(DENY[mode] & launcher.MOUNT_ATTR_NODEV) is (mode is not MountMode.DEVICE)
    assert bool(DENY[mode] & launcher.MOUNT_ATTR_NOEXEC) is (mode is not MountMode.READ_ONLY)


@pytest.mark.parametrize("mount", [Mask(Path("/x")), Symlink("x", Path("/y"))])
def test_what_bubblewrap_makes_is_not_staged(mount: Mask | Symlink) -> None:
    with pytest.raises(TypeError, match="bubblewrap makes"):
        _staged_item(mount)


def test_the_launcher_runs_isolated_from_its_file() -> None:
    _, *options = launcher_command(5)
    assert options == ["-I", "-S", launcher.__file__, "5"]
