"""Measures the load of this host and of the worker's cgroups, each as percent of its limit.

Sources: proc_meminfo(5), proc_loadavg(5), proc_sys_fs(5), proc_sys_kernel(5), getrlimit(2), the kernel's
Documentation/accounting/psi.rst, and those of `cgroup_folders`.
"""

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from pageworker_sandbox.launch.pressure import some_percent
from pageworker_supervisor.host.cgroup_folders import (
    CGROUPS,
    PROC,
    cgroup_folders,
    memory_statistics,
    memory_use,
    words,
)
from pageworker_supervisor.host.descriptor_check import USED_UP
from pageworker_supervisor.host.load_level import HostLoad, LoadName

MEMORY_LIMITS = ("memory.max", "memory.limit_in_bytes")
CACHED = ("active_file", "inactive_file")
"""Cached files, which the kernel drops when memory is needed. Those of a tmpfs are not among them."""
THREADS_FIELD = 17
"""`num_threads` of proc_pid_stat(5), counted from the field after the name."""


class LoadReader:
    """Reads the files anew each time, in half a millisecond. `sandboxes`: the cgroup of version 2 above those of all
    sandboxes, if there is one. The worker is in the cgroup above it."""

    def __init__(self, sandboxes: Path | None = None, cgroups: Path = CGROUPS, proc: Path = PROC) -> None:
        self._scope = None if sandboxes is None else sandboxes.parent
        self._proc = proc
        # Found once: a process leaves its cgroups only if another one moves it.
        folders: list[Path] = []
        with suppress(OSError):
            folders = list(dict.fromkeys(cgroup_folders(cgroups, proc)))
        self._memory_cgroups = [one for one in folders if any((one / name).exists() for name in MEMORY_LIMITS)]
        self._process_cgroups = [one for one in folders if (one / "pids.max").exists()]

    def read(self) -> HostLoad:
        """Percent of each load now. A load that cannot be read is missing."""
        readers: dict[LoadName, Callable[[], float | None]] = {
            "memory": self._memory,
            "memory_pressure": lambda: self._pressure("memory"),
            "cpu_pressure": lambda: self._pressure("cpu"),
            "processes": self._processes,
            "descriptors": self._descriptors,
        }
        return {name: percent for name, read in readers.items() if (percent := _known(read)) is not None}

    def _memory(self) -> float | None:
        lines = (line.split() for line in (self._proc / "meminfo").read_text().splitlines())
        host = {line[0]: int(line[1]) for line in lines if len(line) > 1}
        used = [_percent(host["MemTotal:"] - host["MemAvailable:"], host["MemTotal:"])]
        for folder in self._memory_cgroups:
            if (use := memory_use(folder)) is not None:
                used.append(_percent(use[0] - _cached(folder), use[1]))
        return max(used)

    def _pressure(self, kind: str) -> float | None:
        own = None if self._scope is None else some_percent(self._scope / f"{kind}.pressure")
        return own if own is not None else some_percent(self._proc / "pressure" / kind)

    def _processes(self) -> float | None:
        return max(self._process_shares(), default=None)

    def _process_shares(self) -> Iterator[float]:
        tasks = int(words(self._proc / "loadavg")[3].partition("/")[2])
        limits = [words(self._proc / "sys/kernel" / name) for name in ("threads-max", "pid_max")]
        if known := [int(limit[0]) for limit in limits if limit]:
            yield _percent(tasks, min(known))
        for folder in self._process_cgroups:
            now, most = words(folder / "pids.current"), words(folder / "pids.max")
            if now and most and most[0] != "max":
                yield _percent(int(now[0]), int(most[0]))
        soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
        if soft != resource.RLIM_INFINITY and (uid := os.getuid()) != 0:
            yield _percent(threads_of(uid, self._proc), soft)

    def _descriptors(self) -> float | None:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            used = _percent(sum(1 for _ in (self._proc / "self/fd").iterdir()), soft)
        except OSError as error:
            if error.errno not in USED_UP:
                raise
            return 100.0
        files = words(self._proc / "sys/fs/file-nr")
        return max(used, _percent(int(files[0]), int(files[2]))) if len(files) == 3 else used


def threads_of(uid: int, proc: Path = PROC) -> int:
    """Processes and threads of a user, as far as this process may see them."""
    return sum(_threads(Path(entry)) for entry in os.scandir(proc) if entry.name.isdigit() and _is_of(entry, uid))


def _is_of(entry: "os.DirEntry[str]", uid: int) -> bool:
    try:
        return entry.stat().st_uid == uid
    except OSError:
        return False  # it has just ended


def _threads(folder: Path) -> int:
    try:
        # The name of a program may hold spaces and brackets.
        fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0  # it has just ended
    return int(fields[THREADS_FIELD])


def _cached(folder: Path) -> int:
    statistics = memory_statistics(folder)
    # Version 1 has the sums over a cgroup and those below it by other names.
    return sum(statistics.get(f"total_{name}", statistics.get(name, 0)) for name in CACHED)


def _percent(used: int, most: int) -> float:
    return 100.0 * max(0, used) / most if most > 0 else 100.0


def _known(read: Callable[[], float | None]) -> float | None:
    try:
        return read()
    except (OSError, ValueError, LookupError):
        return None
