"""The command line of bwrap. Pure: mounts in, arguments out. Source: bwrap(1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pageworker_sandbox.launch.mounts import Bind, Data, Mask, Mount, MountMode, Scratch, Symlink

UID_INSIDE = 1000
ENVIRONMENT = {"HOME": "/tmp", "LANG": "C.UTF-8"}  # noqa: S108 - a tmpfs that only this sandbox sees


@dataclass(frozen=True)
class Descriptors:
    """Numbers of the descriptors that bwrap inherits."""

    seccomp: int
    info_and_block: tuple[int, int] | None = None
    """bwrap writes the pid of the sandbox's init process to the first one, and waits for a byte on the second."""


def staged(mounts: Sequence[Mount], stage: str) -> dict[Mount, str]:
    """Path in the staging folder of each mount that the launcher program prepares, in the order of mounting."""
    outside = [mount for mount in mounts if isinstance(mount, Bind | Data | Scratch)]
    return {mount: f"{stage}/{number}" for number, mount in enumerate(outside)}


def arguments(
    mounts: Sequence[Mount], stage: str, descriptors: Descriptors, *, network: bool, rename: bool
) -> list[str]:
    """All arguments of bwrap except the command.

    `network`: share the host's network namespace. `rename`: give the sandbox the host name `runner`.
    """
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
    """The command inside: an isolated interpreter, without the host's site packages, that writes no bytecode."""
    return [str(python), "-I", "-S", "-B", str(start), *arguments]
