"""The memory of this host, and what the cgroups of this process permit."""

from pathlib import Path

from pageworker_supervisor.host.cgroup_folders import CGROUPS, PROC, cgroup_folders, memory_limit


def host_memory_bytes(cgroups: Path = CGROUPS, proc: Path = PROC) -> int | None:
    """All memory of this host, or the least that a cgroup of this process may use. None: the kernel does not say."""
    try:
        total = meminfo_bytes(proc, "MemTotal")
        limits = [limit for one in cgroup_folders(cgroups, proc) if (limit := memory_limit(one)) is not None]
    except (OSError, StopIteration):
        return None
    return min(total, *limits) if limits else total


def meminfo_bytes(proc: Path, name: str) -> int:
    """One number of /proc/meminfo. Raises OSError, StopIteration."""
    lines = (line.split() for line in (proc / "meminfo").read_text().splitlines())
    return next(int(words[1]) * 1024 for words in lines if words[0] == f"{name}:")
