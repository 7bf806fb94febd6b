"""What the launcher program is told: mounts as data, limits, the command line."""

import marshal
import os
import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pageworker_sandbox.launch import launcher
from pageworker_sandbox.launch.bubblewrap import staged
from pageworker_sandbox.launch.launcher import MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID
from pageworker_sandbox.launch.mounts import Bind, Data, Mount, MountMode, Scratch

STAGE = "/tmp"  # noqa: S108 - covered by a tmpfs in a mount namespace of the launcher's own
GIB = 1024**3
DENY = {
    MountMode.READ_ONLY: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
    MountMode.READ_WRITE: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
    MountMode.DEVICE: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
}


@dataclass(frozen=True)
class ProcessLimits:
    """Of a cell, and of every single process in it."""

    memory_bytes: int
    """Of the whole, where there is a cgroup. Of each process's own data besides: that none takes all at once leaves
    the watch on the whole its time."""
    processes: int
    """Threads and processes of the whole."""
    open_files: int = 8192
    file_bytes: int = 1 * GIB

    def rows(self, *, own_user: bool) -> list[tuple[int, int]]:
        """As setrlimit(2) wants them; no core dumps ever. The number of processes counts for a user as a whole."""
        return [
            *([(resource.RLIMIT_NPROC, self.processes)] if own_user else []),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_DATA, self.memory_bytes),
            (resource.RLIMIT_FSIZE, self.file_bytes),
            (resource.RLIMIT_NOFILE, self.open_files),
        ]


@dataclass(frozen=True)
class LaunchPlan:
    """One start. `argv` is bubblewrap's."""

    mounts: Sequence[Mount]
    argv: Sequence[str]
    uid: int | None
    cgroups: Sequence[Path]
    limits: ProcessLimits

    def encode(self) -> bytes:
        """For the launcher program, which runs as a child of this very process."""
        plan = {
            "parent": os.getpid(),
            "uid": self.uid,
            "cgroups": list(map(str, self.cgroups)),
            "limits": self.limits.rows(own_user=self.uid is not None),
            "stage": STAGE,
            "items": [_item(mount) for mount in staged(self.mounts, STAGE)],
            "argv": list(self.argv),
        }
        return marshal.dumps(plan)


def launcher_command(plan_fd: int) -> list[str]:
    """The launcher program, by the supervisor's own interpreter without the detour through its environment."""
    python = str(getattr(sys, "_base_executable", None) or sys.executable)
    return [python, "-I", "-S", launcher.__file__, str(plan_fd)]


def _item(mount: Mount) -> dict[str, Any]:
    match mount:
        case Bind():
            return {"kind": "bind", "source": str(mount.source), "deny": DENY[mount.mode]}
        case Data():
            return {"kind": "data", "text": mount.text}
        case Scratch():
            return {"kind": "scratch", "size": mount.size_bytes, "inodes": mount.files}
        case _:
            raise TypeError(f"{mount} is made inside")
