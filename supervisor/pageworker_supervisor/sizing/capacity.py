"""The CPUs and the memory that this process may use: what the host has, less what its cgroups permit.

Source: the kernel's Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst and scheduler/sched-bwc.rst.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from pageworker_supervisor.host.cgroup_folders import (
    CGROUPS,
    PROC,
    cgroup_folders,
    memory_statistics,
    memory_use,
    words,
)
from pageworker_supervisor.host.memory import meminfo_bytes


@dataclass(frozen=True)
class HostCapacity:
    """CPUs may be a fraction, if a cgroup has a quota."""

    cpus: float
    memory_bytes: int
    """Available now, without swap."""


def host_capacity(cgroups: Path = CGROUPS, proc: Path = PROC) -> HostCapacity:
    """What this host offers now. Raises OSError."""
    folders = list(cgroup_folders(cgroups, proc))
    cpus = [float(len(os.sched_getaffinity(0))), *(quota for one in folders if (quota := _cpu_quota(one)) is not None)]
    memory = [_available(proc), *(left for one in folders if (left := _memory_left(one)) is not None)]
    return HostCapacity(min(cpus), max(0, min(memory)))


def busy_cpu_seconds(proc: Path = PROC) -> float:
    """CPU seconds that all programs of the host have used so far. Source: proc_stat(5)."""
    _, user, nice, system, _, _, irq, softirq, steal, *_ = (proc / "stat").read_text().split(maxsplit=9)
    return sum(map(int, (user, nice, system, irq, softirq, steal))) / os.sysconf("SC_CLK_TCK")


def _available(proc: Path) -> int:
    return meminfo_bytes(proc, "MemAvailable")


def _cpu_quota(folder: Path) -> float | None:
    limit = words(folder / "cpu.max") or [*words(folder / "cpu.cfs_quota_us"), *words(folder / "cpu.cfs_period_us")]
    if len(limit) != 2 or limit[0] in ("max", "-1"):
        return None
    return int(limit[0]) / int(limit[1])


def _memory_left(folder: Path) -> int | None:
    """The limit less what is used. Cached files do not count: the kernel drops them when memory is needed."""
    if (use := memory_use(folder)) is None:
        return None
    used, most = use
    return most - used + memory_statistics(folder).get("inactive_file", 0)
