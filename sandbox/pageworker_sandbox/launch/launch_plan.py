"""The plan of one start, for the launcher program: mounts as data, limits, bubblewrap's command line."""

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

STAGE = "/tmp"  # noqa: S108 - the launcher covers it with a tmpfs in its own mount namespace
GIB = 1024**3
DENY = {
    MountMode.READ_ONLY: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
    MountMode.READ_WRITE: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
    MountMode.DEVICE: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
}


@dataclass(frozen=True)
class ProcessLimits:
    """Limits of a whole sandbox, and of each process in it."""

    memory_bytes: int
    """Of the whole sandbox, if it has a cgroup."""
    processes: int
    """Threads and processes of the whole sandbox."""
    open_files: int = 8192
    file_bytes: int = 1 * GIB
    counted_data: int = 1
    """Where a cgroup limits the memory: the data size limit of each process, in units of `memory_bytes`."""
    has_memory_cgroup: bool = False

    @property
    def data_bytes(self) -> int:
        """The data size limit of each process: one that allocates everything at once fails before the supervisor's
        memory watch has to react.

        RLIMIT_DATA counts what a process has mapped, touched or not, and the kernel reports no refusal: a
        process that fails by it ends an attempt without the name of a limit. A cgroup counts what is in use, and
        reports a breach. If there is one, it should be the one that refuses (setrlimit(2), cgroup-v2.rst).
        """
        return self.memory_bytes * (self.counted_data if self.has_memory_cgroup else 1)

    def rlimits(self, *, own_user: bool) -> list[tuple[int, int]]:
        """(resource, value) pairs for setrlimit(2). Core dumps are always off.

        RLIMIT_NPROC counts all processes of a user, so it is set here only for a user that only this sandbox has.
        """
        return [
            *([(resource.RLIMIT_NPROC, self.processes)] if own_user else []),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_DATA, self.data_bytes),
            (resource.RLIMIT_FSIZE, self.file_bytes),
            (resource.RLIMIT_NOFILE, self.open_files),
        ]


@dataclass(frozen=True)
class LaunchPlan:
    """One start. `argv` is the command line of bubblewrap."""

    mounts: Sequence[Mount]
    argv: Sequence[str]
    uid: int | None
    cgroups: Sequence[Path]
    limits: ProcessLimits
    user_namespace: int | None = None
    """Descriptor of the worker's user namespace, which the launcher enters; None: there is none."""

    def encode(self) -> bytes:
        """The plan as bytes. Must be called in the process that starts the launcher program as its child."""
        plan = {
            "parent": os.getpid(),
            "uid": self.uid,
            "user_namespace": self.user_namespace,
            "cgroups": list(map(str, self.cgroups)),
            "limits": self.limits.rlimits(own_user=self.uid is not None),
            "stage": STAGE,
            "items": [_staged_item(mount) for mount in staged(self.mounts, STAGE)],
            "argv": list(self.argv),
        }
        return marshal.dumps(plan)


def launcher_command(plan_fd: int) -> list[str]:
    """Command line of the launcher program. It uses the supervisor's base interpreter, which starts faster."""
    python = str(getattr(sys, "_base_executable", None) or sys.executable)
    return [python, "-I", "-S", launcher.__file__, str(plan_fd)]


def _staged_item(mount: Mount) -> dict[str, Any]:
    match mount:
        case Bind():
            deny = DENY[mount.mode]
            return {"kind": "bind", "source": str(mount.source), "deny": deny, "checked": mount.checked_fd}
        case Data():
            return {"kind": "data", "text": mount.text}
        case Scratch():
            return {"kind": "scratch", "size": mount.size_bytes, "inodes": mount.files}
        case _:
            raise TypeError(f"bubblewrap makes {mount} inside the sandbox; it is not staged")
