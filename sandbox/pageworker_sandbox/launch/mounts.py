"""What a cell's root is made of. Data only."""

from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path


class MountMode(Enum):
    """How a piece of the host appears inside."""

    READ_ONLY = auto()
    READ_WRITE = auto()
    """Its files can not be executed or mapped as code."""
    DEVICE = auto()


@dataclass(frozen=True)
class Bind:
    """A file or folder of the host."""

    source: Path
    inside: Path
    mode: MountMode = MountMode.READ_ONLY


@dataclass(frozen=True)
class Data:
    """A read-only file that is made up."""

    text: str
    inside: Path


@dataclass(frozen=True)
class Scratch:
    """A tmpfs of its own: empty, limited, nothing in it can be executed or mapped as code."""

    size_bytes: int
    inside: Path
    files: int
    """Files and folders in it at most."""


@dataclass(frozen=True)
class Mask:
    """An empty, read-only folder over one that came in with a Bind."""

    inside: Path


@dataclass(frozen=True)
class Symlink:
    """A symbolic link."""

    target: str
    inside: Path


Mount = Bind | Data | Scratch | Mask | Symlink


def same(path: Path) -> Bind:
    """A read-only bind to the same place."""
    return Bind(path, path)
