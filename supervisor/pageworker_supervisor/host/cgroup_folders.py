"""The cgroups that limit this process, of version 1 and 2: their folders, and the numbers in their files.

Source: the kernel's Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/cgroups.rst, memory.rst and pids.rst.
"""

from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
PROC = Path("/proc")
NO_LIMIT = 1 << 60
"""Version 1 writes a limit of about 2^63 bytes if there is none."""


def cgroup_folders(cgroups: Path = CGROUPS, proc: Path = PROC) -> Iterator[Path]:
    """The folders of this process's cgroups and of all cgroups above them. In a container its own one is the root.

    Raises OSError.
    """
    for line in (proc / "self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for root in _roots(cgroups, controllers):
            inner = Path(path.lstrip("/"))
            for folder in (root / inner, *((root / above) for above in inner.parents)):
                if folder.is_dir():
                    yield folder


def words(file: Path) -> list[str]:
    """The words of a file; none if it cannot be read."""
    try:
        return file.read_text().split()
    except OSError:
        return []


def memory_limit(folder: Path) -> int | None:
    """The limit of a cgroup in bytes; None: it has none."""
    most = words(folder / "memory.max") or words(folder / "memory.limit_in_bytes")
    return None if not most or most[0] == "max" or int(most[0]) >= NO_LIMIT else int(most[0])


def memory_use(folder: Path) -> tuple[int, int] | None:
    """`(bytes used, limit)` of a cgroup; None without a limit. Cached files count as used."""
    most = memory_limit(folder)
    used = words(folder / "memory.current") or words(folder / "memory.usage_in_bytes")
    return None if most is None or not used else (int(used[0]), most)


def memory_statistics(folder: Path) -> dict[str, int]:
    """memory.stat of a cgroup: bytes by name."""
    pairs = words(folder / "memory.stat")
    return {name: int(value) for name, value in zip(pairs[::2], pairs[1::2], strict=False) if value.isdigit()}


def _roots(cgroups: Path, controllers: str) -> tuple[Path, Path]:
    """Where a hierarchy is mounted. Version 2 has no controllers in /proc/self/cgroup."""
    if not controllers:
        return cgroups, cgroups / "unified"
    return cgroups / controllers, cgroups / controllers.partition(",")[0]
