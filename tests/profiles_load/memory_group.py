"""A cgroup with a limit of memory, in version 1 or 2, for one process and all below it.

Source: the kernel's Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pageworker_sandbox.launch.cgroup import own_folder
from pageworker_supervisor.host.cgroup_folders import memory_statistics, words


class MemoryGroup:
    """One that exists."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def prefix(self) -> tuple[str, ...]:
        """Words before a command that let its process join first."""
        return ("sh", "-c", 'echo 0 > "$0/cgroup.procs" && exec "$@"', str(self.folder))

    def used_bytes(self) -> int:
        """What cannot be given back at once: all but the cached files that were not used lately."""
        used = words(self.folder / "memory.current") or words(self.folder / "memory.usage_in_bytes")
        statistics = memory_statistics(self.folder)
        return int(used[0]) - statistics.get("total_inactive_file", statistics.get("inactive_file", 0))

    def killed(self) -> int:
        """Processes that the kernel has killed because the limit was reached."""
        pairs = words(self.folder / "memory.events") or words(self.folder / "memory.oom_control")
        return int(dict(zip(pairs[::2], pairs[1::2], strict=False)).get("oom_kill", 0))


@contextmanager
def memory_group(limit_bytes: int) -> Iterator[MemoryGroup]:
    """One for the block. Raises OSError if this process may not make one."""
    above = own_folder("memory") or own_folder()
    if above is None:
        raise OSError("this host has no cgroups, or this process may not see its own")
    folder = above / f"profiles-load.{os.getpid()}"
    folder.mkdir()
    try:
        names = ("memory.max", "memory.limit_in_bytes")
        file = next((folder / name for name in names if (folder / name).exists()), None)
        if file is None:
            raise OSError(f"{above} does not delegate the controller memory")
        file.write_text(str(limit_bytes))
        yield MemoryGroup(folder)
    finally:
        # A worker that was killed leaves the groups of its sandboxes.
        for path, _, _ in os.walk(folder, topdown=False):
            with suppress(OSError):
                Path(path).rmdir()
