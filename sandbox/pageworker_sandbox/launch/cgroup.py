"""A cgroup a cell, where the host lets us make one: limits by the kernel, and one write that kills all.

Source: the kernel's Documentation/admin-guide/cgroup-v2.rst, and cgroup-v1/{memory,pids}.rst for hosts whose memory and
pids controllers are of version 1. Without both controllers (not delegated) the other limits of a cell hold: rlimits,
sizes of its tmpfs, the watch on its memory.
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
class LimitHits:
    """How often the kernel enforced a limit of a cgroup."""

    memory: int = 0
    """Processes that it killed, because there was no more memory for them."""
    processes: int = 0
    """Processes and threads that it did not start."""


@dataclass(frozen=True)
class Cgroup:
    """One cell's. The launcher program joins `folder` and those of version 1."""

    folder: Path
    legacy: tuple[Path, ...] = ()

    @property
    def folders(self) -> tuple[Path, ...]:
        """All of them."""
        return (self.folder, *self.legacy)

    def hits(self) -> LimitHits:
        """Since it was made."""
        memory = max(_count(self._file(name), "oom_kill") for name in ("memory.events", "memory.oom_control"))
        return LimitHits(memory, _count(self._file("pids.events"), "max"))

    def _file(self, name: str) -> Path:
        found = (folder / name for folder in self.folders if (folder / name).exists())
        return next(found, self.folder / name)

    def kill(self) -> None:
        """SIGKILL to every process in it; since Linux 5.14."""
        with suppress(OSError):
            (self.folder / "cgroup.kill").write_text("1")

    def remove(self) -> None:
        """To be called when it is empty."""
        for folder in self.folders:
            with suppress(OSError):
                folder.rmdir()


@dataclass(frozen=True)
class CgroupRoot:
    """The cgroup that holds those of all our cells."""

    folder: Path
    controllers: frozenset[str]
    legacy: tuple[Path, ...] = ()
    """Of controllers of version 1."""

    def create(self, name: str, memory_bytes: int, processes: int) -> Cgroup | None:
        """A new one with these limits; None where the kernel refuses."""
        own = re.sub(r"[^A-Za-z0-9._-]", "_", name)
        settings = {
            "memory.max": str(memory_bytes),
            "memory.swap.max": "0",
            "memory.oom.group": "1",
            "pids.max": str(processes),
            "memory.limit_in_bytes": str(memory_bytes),
            "memory.memsw.limit_in_bytes": str(memory_bytes),
        }
        group = Cgroup(self.folder / own, tuple(home / own for home in self.legacy))
        try:
            for folder in group.folders:
                # With parents: a supervisor in another pid namespace may have taken our home for a leftover.
                folder.mkdir(parents=True, exist_ok=True)
                for file, value in settings.items():
                    if (folder / file).exists():
                        (folder / file).write_text(value)
        except OSError:
            return None
        return group


@cache
def home() -> CgroupRoot | None:
    """Made on first use; None where nothing may be made. Leftovers of dead supervisors are removed."""
    ours = own_folder()
    if ours is None or not os.access(ours, os.W_OK) or not os.access(ours / "cgroup.procs", os.W_OK):
        return None
    try:
        folder = _make_home(ours)
        given = _enable(ours) and _enable(folder)
    except OSError:
        return None
    legacy = {} if given else _legacy_homes()
    return CgroupRoot(folder, WANTED if given else frozenset(legacy), tuple(legacy.values()))


def _make_home(ours: Path) -> Path:
    for leftover in ours.glob(f"{PREFIX}*"):
        if not Path("/proc", leftover.name.removeprefix(PREFIX)).exists():
            _remove_empty(leftover)
    folder = ours / f"{PREFIX}{os.getpid()}"
    folder.mkdir(exist_ok=True)
    return folder


def _legacy_homes() -> dict[str, Path]:
    """By controller of version 1; those that we may not make are left out."""
    homes: dict[str, Path] = {}
    for controller in sorted(WANTED):
        ours = own_folder(controller)
        if ours is not None and os.access(ours, os.W_OK) and os.access(ours / "cgroup.procs", os.W_OK):
            with suppress(OSError):
                homes[controller] = _make_home(ours)
    return homes


def own_folder(controller: str = "") -> Path | None:
    """Our cgroup of version 2, or that of a controller of version 1, in the file system; None where none is mounted."""
    lines = (line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines())
    path = next((path for _, names, path in lines if controller in names.split(",")), None)
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        wanted = kind == "cgroup" and controller in options.split(",") if controller else kind == "cgroup2"
        if path is not None and wanted:
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


def _count(file: Path, key: str) -> int:
    """The number in the file's line `key number`; 0 where there is no such line or file."""
    with suppress(OSError):
        for line in file.read_text().splitlines():
            name, _, number = line.partition(" ")
            if name == key:
                return int(number)
    return 0


def _remove_empty(folder: Path) -> None:
    """A populated cgroup refuses with EBUSY: its supervisor lives."""
    with suppress(OSError):
        for child in folder.iterdir():
            if child.is_dir():
                child.rmdir()
        folder.rmdir()
