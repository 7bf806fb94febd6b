"""What /proc shows of the processes of a sandbox, from outside. Source: proc(5)."""

import fcntl
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pageworker_sandbox.confine.syscalls import call

NAMESPACES = ("user", "pid", "net", "mnt", "ipc", "uts", "cgroup")
GONE = (FileNotFoundError, ProcessLookupError)
INODE_BYTES = 1024
"""Kernel memory that a tmpfs uses per file beside the content, approximately."""
_MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S{4} [0-9a-f]+ ([0-9a-f]+):([0-9a-f]+) (\d+)")


def children(pid: int) -> list[int]:
    """Pids of the children of all threads of a process. Empty if the process is gone."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except GONE:
        return []
    found: list[int] = []
    for task in tasks:
        with suppress(*GONE):
            found += map(int, (task / "children").read_text().split())
    return found


def tree(pid: int) -> Iterator[int]:
    """Pids of a process and of all its descendants, at this moment."""
    yield pid
    for child in children(pid):
        yield from tree(child)


def cpu_seconds(pid: int) -> float:
    """CPU time of one process and of its children that have ended. 0 if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except GONE:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def pss_bytes(pid: int) -> int:
    """Proportional set size of one process in bytes. 0 if it is gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except GONE:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))


def mapped_bytes(pid: int, devices: Collection[int], inodes: Collection[int]) -> int:
    """Proportional set size, in bytes, of a process's mappings of these devices and inodes. 0 if it is gone.

    Reads every mapping, which takes some ten milliseconds for a browser process.
    """
    try:
        text = Path(f"/proc/{pid}/smaps").read_text(errors="replace")
    except GONE:
        return 0
    total, wanted = 0, False
    for line in text.splitlines():
        if mapping := _MAPPING.match(line):
            device = os.makedev(int(mapping[1], 16), int(mapping[2], 16))
            wanted = device in devices or int(mapping[3]) in inodes
        elif wanted and line.startswith("Pss:"):
            total += int(line.split()[1]) * 1024
    return total


@dataclass(frozen=True)
class TmpfsUse:
    """How full a tmpfs is."""

    inside: Path
    device: int
    used_bytes: int
    most_bytes: int
    files: int
    most_files: int

    @property
    def memory_bytes(self) -> int:
        """Memory that it uses: its pages, and the kernel's memory per file."""
        return self.used_bytes + self.files * INODE_BYTES


def tmpfs_use(pid: int, inside: Path) -> TmpfsUse | None:
    """Use of the tmpfs at this path in the root of a process, unlinked files included. None: the process is gone."""
    path = Path(f"/proc/{pid}/root{inside}")
    try:
        sizes, device = os.statvfs(path), path.stat().st_dev
    except GONE:
        return None
    return TmpfsUse(
        inside,
        device,
        used_bytes=(sizes.f_blocks - sizes.f_bfree) * sizes.f_frsize,
        most_bytes=sizes.f_blocks * sizes.f_frsize,
        files=sizes.f_files - sizes.f_ffree,
        most_files=sizes.f_files,
    )


def memfds(pid: int) -> dict[int, int]:
    """Bytes by inode of the memfds that a process has open. A Pss includes only the mapped part.

    The process is not dumpable, so an ordinary user cannot read /proc/PID/fd. But the user that created the process's
    user namespace may copy its descriptors (pidfd_getfd(2)).
    """
    sizes: dict[int, int] = {}
    with suppress(*GONE), _opened(os.pidfd_open(pid)) as process:
        for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
            with suppress(OSError), _opened(call("pidfd_getfd", process, int(entry.name), 0)) as copy:
                fcntl.fcntl(copy, fcntl.F_GET_SEALS)  # EINVAL on anything but a memfd
                status = os.fstat(copy)
                sizes[status.st_ino] = status.st_blocks * 512
    return sizes


@contextmanager
def _opened(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def tasks(pid: int) -> int:
    """Number of threads of one process. 0 if it is gone."""
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())
    except GONE:
        return 0


def status(pid: int) -> dict[str, str]:
    """The fields of /proc/PID/status. Raises FileNotFoundError, ProcessLookupError."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, value in (line.split(":", 1) for line in lines)}


def own_capabilities() -> int:
    """The effective capabilities of this process as a bit set. Source: proc_pid_status(5)."""
    return int(status(os.getpid())["CapEff"], 16)


def cgroups(pid: int) -> list[str]:
    """Path of its cgroup in each hierarchy, from the root of ours. Raises FileNotFoundError, ProcessLookupError."""
    return [line.split(":", 2)[2] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]


def namespaces(pid: int | str) -> dict[str, str]:
    """Inode number by namespace name. Raises FileNotFoundError, ProcessLookupError, PermissionError."""
    links = {name: str(Path(f"/proc/{pid}/ns/{name}").readlink()) for name in NAMESPACES}
    return {name: link.split("[")[1].rstrip("]") for name, link in links.items()}
