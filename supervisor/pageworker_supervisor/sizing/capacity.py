"""The CPUs and the memory that this process may use: what the host has, less what its cgroups permit.

Source: the kernel's Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst and scheduler/sched-bwc.rst.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
PROC = Path("/proc")
NO_LIMIT = 1 << 60
"""Version 1 writes a limit of about 2^63 bytes if there is none."""


@dataclass(frozen=True)
class HostCapacity:
    """CPUs may be a fraction, if a cgroup has a quota."""

    cpus: float
    memory_bytes: int
    """Available now, without swap."""


def host_capacity(cgroups: Path = CGROUPS, proc: Path = PROC) -> HostCapacity:
    """What this host offers now. Raises OSError."""
    folders = list(_cgroup_folders(cgroups, proc))
    cpus = [float(len(os.sched_getaffinity(0))), *(quota for one in folders if (quota := _cpu_quota(one)) is not None)]
    memory = [_available(proc), *(left for one in folders if (left := _memory_left(one)) is not None)]
    return HostCapacity(min(cpus), max(0, min(memory)))


def busy_cpu_seconds(proc: Path = PROC) -> float:
    """CPU seconds that all programs of the host have used so far. Source: proc_stat(5)."""
    _, user, nice, system, _, _, irq, softirq, steal, *_ = (proc / "stat").read_text().split(maxsplit=9)
    return sum(map(int, (user, nice, system, irq, softirq, steal))) / os.sysconf("SC_CLK_TCK")


def _available(proc: Path) -> int:
    lines = (line.split() for line in (proc / "meminfo").read_text().splitlines())
    return next(int(words[1]) * 1024 for words in lines if words[0] == "MemAvailable:")


def _cgroup_folders(cgroups: Path, proc: Path) -> Iterator[Path]:
    """The folders of this process's cgroups and of all cgroups above them. In a container its own one is the root."""
    for line in (proc / "self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for root in _roots(cgroups, controllers):
            inner = Path(path.lstrip("/"))
            for folder in (root / inner, *((root / above) for above in inner.parents)):
                if folder.is_dir():
                    yield folder


def _roots(cgroups: Path, controllers: str) -> tuple[Path, Path]:
    """Where a hierarchy is mounted. Version 2 has no controllers in /proc/self/cgroup."""
    if not controllers:
        return cgroups, cgroups / "unified"
    return cgroups / controllers, cgroups / controllers.partition(",")[0]


def _cpu_quota(folder: Path) -> float | None:
    limit = _words(folder / "cpu.max") or [*_words(folder / "cpu.cfs_quota_us"), *_words(folder / "cpu.cfs_period_us")]
    if len(limit) != 2 or limit[0] in ("max", "-1"):
        return None
    return int(limit[0]) / int(limit[1])


def _memory_left(folder: Path) -> int | None:
    """The limit less what is used. Cached files do not count: the kernel drops them when memory is needed."""
    most = _words(folder / "memory.max") or _words(folder / "memory.limit_in_bytes")
    used = _words(folder / "memory.current") or _words(folder / "memory.usage_in_bytes")
    if not most or not used or most[0] == "max" or int(most[0]) >= NO_LIMIT:
        return None
    statistics = _words(folder / "memory.stat")
    cached = dict(zip(statistics[::2], statistics[1::2], strict=False))
    return int(most[0]) - int(used[0]) + int(cached.get("inactive_file", 0))


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
