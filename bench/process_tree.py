"""CPU and memory of a contender's process tree, read from /proc. Source: proc_pid_stat(5), proc_pid_smaps(5)."""

import asyncio
import contextlib
import ctypes
import os
import re
import signal
from collections.abc import AsyncIterator, Collection
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_CHILD_SUBREAPER = 36
PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)
PRIVATE = re.compile(r"^Private_(?:Clean|Dirty):\s+(\d+) kB", re.MULTILINE)
SAMPLE_SECONDS = 1.0


def adopt_orphans() -> None:
    """Become the parent of orphans below this process, instead of init, so that they are counted and ended too."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def cpu_seconds_of(roots: Collection[int]) -> dict[int, float]:
    """CPU seconds of each of these processes with all its descendants, ended children included."""
    children, spent = _processes()
    return {root: sum(_below([root], children, spent).values()) for root in roots if root in spent}


def private_bytes_of(root: int, word: bytes) -> int:
    """Memory that the processes below `root` with this word in their command line share with no other process."""
    children, spent = _processes()
    kib = 0
    for pid in _below([root], children, spent):
        # A process may end while it is read.
        with contextlib.suppress(OSError):
            folder = Path(f"/proc/{pid}")
            if word in (folder / "cmdline").read_bytes():
                kib += sum(map(int, PRIVATE.findall((folder / "smaps_rollup").read_text())))
    return kib * 1024


def _processes() -> tuple[dict[int, list[int]], dict[int, float]]:
    """The children and the CPU seconds of every process."""
    children: dict[int, list[int]] = {}
    spent: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        # A process may end while it is read.
        with contextlib.suppress(OSError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            pid = int(entry.name)
            children.setdefault(int(fields[1]), []).append(pid)
            spent[pid] = sum(map(int, fields[11:15])) / TICKS
    return children, spent


def _below(roots: list[int], children: dict[int, list[int]], spent: dict[int, float]) -> dict[int, float]:
    found: dict[int, float] = {}
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        found[pid] = spent[pid]
        waiting += children.get(pid, [])
    return found


class ProcessTree:
    """All descendants of this process that come after this: no server that runs already, and nothing below it."""

    def __init__(self) -> None:
        children, _ = _processes()
        self._older = frozenset(children.get(os.getpid(), []))
        self.peak_pss_bytes = 0

    def cpu_seconds(self) -> dict[int, float]:
        """CPU seconds by pid, ended children included."""
        children, spent = _processes()
        return _below([pid for pid in children.get(os.getpid(), []) if pid not in self._older], children, spent)

    def total_cpu_seconds(self) -> float:
        """CPU seconds of the whole tree so far."""
        return sum(self.cpu_seconds().values())

    def pids_running(self, modules: Collection[str]) -> list[int]:
        """Processes of the tree whose command line has one of these words, without those below another such process."""
        found: dict[int, int] = {}
        for pid in self.cpu_seconds():
            # A process may end while it is read.
            with contextlib.suppress(OSError):
                if set(modules) & set(Path(f"/proc/{pid}/cmdline").read_text().split("\0")):
                    parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
                    found[pid] = int(parent)
        return [pid for pid, parent in found.items() if parent not in found]

    def pss_bytes(self) -> int:
        """Proportional set size of the whole tree now: a shared memory page counts once, not once per process."""
        kib = 0
        for pid in self.cpu_seconds():
            with contextlib.suppress(OSError):
                found = PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
                kib += int(found[1]) if found else 0
        return kib * 1024

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Update `peak_pss_bytes` while the block runs."""
        async with asyncio.TaskGroup() as tasks:
            sampler = tasks.create_task(self._sample())
            try:
                yield
            finally:
                sampler.cancel()

    async def _sample(self) -> None:
        while True:
            self.peak_pss_bytes = max(self.peak_pss_bytes, await asyncio.to_thread(self.pss_bytes))
            await asyncio.sleep(SAMPLE_SECONDS)

    def kill(self) -> int:
        """Kill the processes that are left and return how many there were. Wait for own children before this."""
        left = self.cpu_seconds()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in left:
            # A process whose parent still lives cannot be waited for here: its parent does it.
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        return len(left)
