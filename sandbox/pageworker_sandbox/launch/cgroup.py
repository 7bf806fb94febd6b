"""One cgroup per sandbox, if the host permits it. The kernel then enforces the limits, and one write kills all.

Source: the kernel's Documentation/admin-guide/cgroup-v2.rst, and cgroup-v1/{memory,pids}.rst for hosts whose memory
and pids controllers are version 1. If the controllers are not delegated to us, the other limits of a sandbox
apply: rlimits, tmpfs sizes, and the supervisor's memory watch.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

PREFIX = "pageworker."
WANTED = frozenset({"memory", "pids"})
CPU_WEIGHT = 100
"""Share of CPU time of a runner, where version 2 delegates the controller cpu: equal for all runners, whatever number
of processes each has. 100 is the kernel's default, so all sandboxes together weigh as much as the supervisor."""
LIMIT_OF = {"memory.max": ["memory"], "memory.limit_in_bytes": ["memory"], "pids.max": ["pids"]}
"""Controllers whose limit is in a file."""
DELEGATED = ("cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "tasks")
"""Files of a cgroup that its user has to own. `tasks` is that of version 1."""


@dataclass(frozen=True)
class LimitHits:
    """How often the kernel enforced a limit of a cgroup."""

    memory: int = 0
    """Processes killed by the kernel because the memory limit was reached."""
    processes: int = 0
    """Processes and threads that the kernel refused to start."""


@dataclass(frozen=True)
class Cgroup:
    """The cgroup of one sandbox. The launcher program joins `folder` and the version 1 folders in `legacy`."""

    folder: Path
    legacy: tuple[Path, ...] = ()
    limited: frozenset[str] = frozenset()
    """Controllers whose limit the kernel has accepted."""

    @property
    def folders(self) -> tuple[Path, ...]:
        """`folder` and all of `legacy`."""
        return (self.folder, *self.legacy)

    def hits(self) -> LimitHits:
        """Counts since the cgroup was created."""
        memory = max(_count(self._file(name), "oom_kill") for name in ("memory.events", "memory.oom_control"))
        return LimitHits(memory, _count(self._file("pids.events"), "max"))

    def _file(self, name: str) -> Path:
        found = (folder / name for folder in self.folders if (folder / name).exists())
        return next(found, self.folder / name)

    def kill(self) -> None:
        """Send SIGKILL to every process in it. Has no effect before Linux 5.14."""
        with suppress(OSError):
            (self.folder / "cgroup.kill").write_text("1")

    def remove(self) -> None:
        """Delete the cgroup. Its processes must have ended."""
        for folder in self.folders:
            with suppress(OSError):
                folder.rmdir()


@dataclass(frozen=True)
class CgroupRoot:
    """The cgroup that holds the cgroups of all sandboxes of this supervisor."""

    folder: Path
    controllers: frozenset[str]
    legacy: tuple[Path, ...] = ()
    """The same for the controllers of version 1."""

    def create(self, name: str, memory_bytes: int, processes: int, cpu_weight: int = CPU_WEIGHT) -> Cgroup | None:
        """A new cgroup with these limits, or None if the kernel refuses."""
        own = re.sub(r"[^A-Za-z0-9._-]", "_", name)
        settings = {
            "memory.max": str(memory_bytes),
            "memory.swap.max": "0",
            "memory.oom.group": "1",
            "pids.max": str(processes),
            "cpu.weight": str(cpu_weight),
            "memory.limit_in_bytes": str(memory_bytes),
            "memory.memsw.limit_in_bytes": str(memory_bytes),
        }
        group = Cgroup(self.folder / own, tuple(root / own for root in self.legacy))
        limited = set[str]()
        try:
            for folder in group.folders:
                # With parents: a supervisor in another pid namespace may have removed our root as a leftover.
                folder.mkdir(parents=True, exist_ok=True)
                for file, value in settings.items():
                    if (folder / file).exists():
                        (folder / file).write_text(value)
                        limited.update(LIMIT_OF.get(file, ()))
        except OSError:
            group.remove()
            return None
        return replace(group, limited=frozenset(limited))


@cache
def find_root() -> CgroupRoot | None:
    """Create the root on first use; None if that is not permitted. Removes the roots of dead supervisors."""
    ours = own_folder()
    if ours is None or not os.access(ours, os.W_OK) or not os.access(ours / "cgroup.procs", os.W_OK):
        return None
    try:
        folder = _make_root(ours)
        given = _enable(ours) and _enable(folder)
    except OSError:
        return None
    legacy = {} if given else _legacy_roots()
    return CgroupRoot(folder, WANTED if given else frozenset(legacy), tuple(legacy.values()))


def give_root(uid: int, gid: int) -> None:
    """Give the root, if there is one, to the user that this process becomes. Moves this process into a leaf of it.

    To move a process, the kernel wants the user to own the nearest cgroup above both its old and its new one. Raises
    OSError.
    """
    root = find_root()
    if root is None:
        return
    leaf = root.folder / "supervisor"
    leaf.mkdir(exist_ok=True)
    (leaf / "cgroup.procs").write_text(str(os.getpid()))
    for folder in (root.folder, leaf, *root.legacy):
        for path in (folder, *(folder / name for name in DELEGATED)):
            if path.exists():
                os.chown(path, uid, gid)


def _make_root(ours: Path) -> Path:
    for leftover in ours.glob(f"{PREFIX}*"):
        if not Path("/proc", leftover.name.removeprefix(PREFIX)).exists():
            _remove_empty(leftover)
    folder = ours / f"{PREFIX}{os.getpid()}"
    folder.mkdir(exist_ok=True)
    return folder


def _legacy_roots() -> dict[str, Path]:
    """Root by controller of version 1. Controllers for which no root can be created are missing."""
    roots: dict[str, Path] = {}
    for controller in sorted(WANTED):
        ours = own_folder(controller)
        if ours is not None and os.access(ours, os.W_OK) and os.access(ours / "cgroup.procs", os.W_OK):
            with suppress(OSError):
                roots[controller] = _make_root(ours)
    return roots


def own_folder(controller: str = "") -> Path | None:
    """Folder of the cgroup of this process, in version 2 or for a controller of version 1. None: it is not mounted."""
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
    """Enable our controllers for the children of a cgroup. Moves this process into a leaf, and no other process."""
    delegated = set((folder / "cgroup.controllers").read_text().split())
    if not delegated >= WANTED:
        return False
    if (folder / "cgroup.type").exists() and (members := (folder / "cgroup.procs").read_text().split()):
        if members != [str(os.getpid())]:
            return False  # a shell's cgroup, or that of a whole container: other processes must stay where they are
        leaf = folder / "supervisor"
        leaf.mkdir(exist_ok=True)
        (leaf / "cgroup.procs").write_text(members[0])
    try:
        (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in sorted(WANTED)))
    except OSError:
        return False
    if "cpu" in delegated:
        # By itself: a kernel with real-time processes refuses it, and memory and pids must not depend on that.
        with suppress(OSError):
            (folder / "cgroup.subtree_control").write_text("+cpu")
    return True


def _count(file: Path, key: str) -> int:
    """The number in the file's line `key number`. 0 if the line or the file is missing."""
    with suppress(OSError):
        for line in file.read_text().splitlines():
            name, _, number = line.partition(" ")
            if name == key:
                return int(number)
    return 0


def _remove_empty(folder: Path) -> None:
    """Remove a cgroup and its children. A populated cgroup answers EBUSY: its supervisor lives."""
    with suppress(OSError):
        for child in folder.iterdir():
            if child.is_dir():
                child.rmdir()
        folder.rmdir()
