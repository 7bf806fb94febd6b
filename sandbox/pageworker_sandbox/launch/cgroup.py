"""A cgroup a cell, where the host lets us make one: limits by the kernel, and one write that kills all.

Source: the kernel's Documentation/admin-guide/cgroup-v2.rst. Without the memory and pids controllers (not
delegated, or version 1) the other limits of a cell hold: rlimits, sizes of its tmpfs, the watch on its memory.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PREFIX = "pageworker."
WANTED = frozenset({"memory", "pids"})


@dataclass(frozen=True)
class Cgroup:
    """One cell's. `folder` is what the launcher program joins."""

    folder: Path

    def kill(self) -> None:
        """SIGKILL to every process in it; since Linux 5.14."""
        with suppress(OSError):
            (self.folder / "cgroup.kill").write_text("1")

    def remove(self) -> None:
        """To be called when it is empty."""
        with suppress(OSError):
            self.folder.rmdir()


@dataclass(frozen=True)
class Home:
    """The cgroup that holds those of all our cells."""

    folder: Path
    controllers: frozenset[str]

    def create(self, name: str, memory_bytes: int, processes: int) -> Cgroup | None:
        """A new one with these limits; None where the kernel refuses."""
        folder = self.folder / re.sub(r"[^A-Za-z0-9._-]", "_", name)
        settings = {
            "memory.max": str(memory_bytes),
            "memory.swap.max": "0",
            "memory.oom.group": "1",
            "pids.max": str(processes),
        }
        try:
            # With parents: a supervisor in another pid namespace may have taken our home for a leftover.
            folder.mkdir(parents=True, exist_ok=True)
            for file, value in settings.items():
                if (folder / file).exists():
                    (folder / file).write_text(value)
        except OSError:
            return None
        return Cgroup(folder)


@cache
def home() -> Home | None:
    """Made on first use; None where nothing may be made. Leftovers of dead supervisors are removed."""
    ours = own_folder()
    if ours is None or not os.access(ours, os.W_OK) or not os.access(ours / "cgroup.procs", os.W_OK):
        return None
    for leftover in ours.glob(f"{PREFIX}*"):
        if not Path("/proc", leftover.name.removeprefix(PREFIX)).exists():
            _remove_empty(leftover)
    folder = ours / f"{PREFIX}{os.getpid()}"
    try:
        folder.mkdir(exist_ok=True)
        given = _enable(ours) and _enable(folder)
    except OSError:
        return None
    return Home(folder, WANTED if given else frozenset())


def own_folder() -> Path | None:
    """Our cgroup of version 2 in the file system; None where it is not mounted."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    path = next((line[3:] for line in lines if line.startswith("0::")), None)
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if path is not None and after.startswith("cgroup2 "):
            _, _, _, root, point, *_ = before.split()
            if Path(path).is_relative_to(root):
                return Path(point) / Path(path).relative_to(root)
    return None


def _enable(folder: Path) -> bool:
    """Give our controllers to the children of a cgroup. Only processes of ours are moved out of the way."""
    if not set((folder / "cgroup.controllers").read_text().split()) >= WANTED:
        return False
    if (folder / "cgroup.type").exists() and (inhabitants := (folder / "cgroup.procs").read_text().split()):
        if inhabitants != [str(os.getpid())]:
            return False  # a shell's, or a container's whole cgroup: not ours to rearrange
        leaf = folder / "supervisor"
        leaf.mkdir(exist_ok=True)
        (leaf / "cgroup.procs").write_text(inhabitants[0])
    try:
        (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in sorted(WANTED)))
    except OSError:
        return False
    return True


def _remove_empty(folder: Path) -> None:
    """A populated cgroup refuses with EBUSY: its supervisor lives."""
    with suppress(OSError):
        for child in folder.iterdir():
            if child.is_dir():
                child.rmdir()
        folder.rmdir()
