"""bwrap's command line. Pure: mounts in, words out. Source: bwrap(1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pageworker_sandbox.launch.mounts import Bind, Data, Mask, Mount, MountMode, Scratch, Symlink

UID_INSIDE = 1000
ENVIRONMENT = {"HOME": "/tmp", "LANG": "C.UTF-8"}  # noqa: S108 - a tmpfs of the cell's own


@dataclass(frozen=True)
class Descriptors:
    """Numbers that bwrap inherits."""

    seccomp: int
    info_and_block: tuple[int, int] | None = None
    """Where bwrap tells of the cell's first process, and what it waits for before it goes on."""


def staged(mounts: Sequence[Mount], stage: str) -> dict[Mount, str]:
    """Where the launcher puts what comes from outside the root, in order of mounting."""
    outside = [mount for mount in mounts if isinstance(mount, Bind | Data | Scratch)]
    return {mount: f"{stage}/{number}" for number, mount in enumerate(outside)}


def words(mounts: Sequence[Mount], stage: str, descriptors: Descriptors, *, network: bool, rename: bool) -> list[str]:
    """All arguments but the command. `network`: share ours. `rename`: a host name that tells nothing."""
    places = staged(mounts, stage)
    return [
        *("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup"),
        *(() if network else ("--unshare-net",)),
        *("--die-with-parent", "--new-session", "--cap-drop", "ALL"),
        *("--uid", str(UID_INSIDE), "--gid", str(UID_INSIDE)),
        *(("--hostname", "runner") if rename else ()),
        *("--clearenv", *(word for item in ENVIRONMENT.items() for word in ("--setenv", *item))),
        *("--tmpfs", "/dev", "--symlink", "/proc/self/fd", "/dev/fd"),
        *(word for mount in mounts for word in _mount(mount, places)),
        *("--proc", "/proc", "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"),
        *("--seccomp", str(descriptors.seccomp)),
        *_handshake(descriptors.info_and_block),
    ]


def _handshake(pair: tuple[int, int] | None) -> tuple[str, ...]:
    return ("--info-fd", str(pair[0]), "--block-fd", str(pair[1])) if pair else ()


def _mount(mount: Mount, places: dict[Mount, str]) -> tuple[str, ...]:
    inside = str(mount.inside)
    match mount:
        case Bind(mode=MountMode.READ_ONLY) | Data():
            return ("--ro-bind", places[mount], inside)
        case Bind(mode=MountMode.DEVICE):
            return ("--dev-bind", places[mount], inside)
        case Bind() | Scratch():
            return ("--bind", places[mount], inside)
        case Mask():
            return ("--tmpfs", inside, "--remount-ro", inside)
        case Symlink(target=target):
            return ("--symlink", target, inside)


def command(python: Path, start: Path, arguments: Sequence[str]) -> list[str]:
    """The program inside: isolated, no site packages of the host, no bytecode written."""
    return [str(python), "-I", "-S", "-B", str(start), *arguments]
