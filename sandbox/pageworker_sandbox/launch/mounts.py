"""The pieces that a sandbox's root is made of. Data only."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path


class MountMode(Enum):
    """How a file or folder of the host appears inside."""

    READ_ONLY = auto()
    READ_WRITE = auto()
    """Its files cannot be executed or mapped as code."""
    DEVICE = auto()


@dataclass(frozen=True)
class Bind:
    """A file or folder of the host."""

    source: Path
    inside: Path
    mode: MountMode = MountMode.READ_ONLY
    checked_fd: int | None = None
    """O_PATH descriptor of what was checked at `source`. If something else is there when the sandbox starts, the start
    fails. None: only the operator can put something else there."""


@dataclass(frozen=True)
class Data:
    """A read-only file with generated content."""

    text: str
    inside: Path


@dataclass(frozen=True)
class Scratch:
    """A tmpfs for this sandbox alone: empty and limited. Its files cannot be executed or mapped as code."""

    size_bytes: int
    inside: Path
    files: int
    """Maximum number of files and folders in it."""


@dataclass(frozen=True)
class Mask:
    """An empty, read-only folder that covers one within a Bind."""

    inside: Path


@dataclass(frozen=True)
class Symlink:
    """A symbolic link inside."""

    target: str
    inside: Path


Mount = Bind | Data | Scratch | Mask | Symlink


def checked_descriptors(mounts: Iterable[Mount]) -> list[int]:
    """The descriptors that the launcher program compares with what it mounts."""
    return [mount.checked_fd for mount in mounts if isinstance(mount, Bind) and mount.checked_fd is not None]


def same(path: Path) -> Bind:
    """A read-only bind to the same path."""
    return Bind(path, path)
