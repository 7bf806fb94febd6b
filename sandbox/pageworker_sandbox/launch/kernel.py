"""What the kernel says about a cell's processes, from outside. Source: proc(5)."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pageworker_sandbox.confine.syscalls import call

NAMESPACES = ("user", "pid", "net", "mnt", "ipc", "uts", "cgroup")
GONE = (FileNotFoundError, ProcessLookupError)


def children(pid: int) -> list[int]:
    """Of all threads of a process; none where it is gone."""
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
    """A process and all below it, as of now."""
    yield pid
    for child in children(pid):
        yield from tree(child)


def pss_bytes(pid: int) -> int:
    """Proportional set size of one process; 0 where it is gone."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except GONE:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))


def memfd_bytes(pid: int) -> int:
    """Memory in the memfds that a process has open: what of it is not mapped, no Pss knows of.

    The process is not dumpable, so /proc/PID/fd is closed to an ordinary user. But whoever made its user
    namespace may take copies of its descriptors (pidfd_getfd(2)).
    """
    sizes: dict[int, int] = {}
    with suppress(*GONE), _opened(os.pidfd_open(pid)) as process:
        for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
            with suppress(OSError), _opened(call("pidfd_getfd", process, int(entry.name), 0)) as copy:
                fcntl.fcntl(copy, fcntl.F_GET_SEALS)  # EINVAL on anything but a memfd
                status = os.fstat(copy)
                sizes[status.st_ino] = status.st_blocks * 512
    return sum(sizes.values())


@contextmanager
def _opened(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def tasks(pid: int) -> int:
    """Threads of one process; 0 where it is gone."""
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())
    except GONE:
        return 0


def status(pid: int) -> dict[str, str]:
    """/proc/PID/status. Raises FileNotFoundError, ProcessLookupError."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, value in (line.split(":", 1) for line in lines)}


def namespaces(pid: int | str) -> dict[str, str]:
    """Inode number by namespace. Raises FileNotFoundError, ProcessLookupError, PermissionError."""
    links = {name: str(Path(f"/proc/{pid}/ns/{name}").readlink()) for name in NAMESPACES}
    return {name: link.split("[")[1].rstrip("]") for name, link in links.items()}
