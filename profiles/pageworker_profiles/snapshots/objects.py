"""What the snapshots need of an object store: a few calls, so that a folder and a bucket can both serve."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

PIECE_BYTES = 4 * 1024 * 1024
"""Of a container that is read or sent in one step."""


class StoredObject(NamedTuple):
    """A small object, and the version that a later write has to name."""

    data: bytes
    version: str


class ObjectInfo(NamedTuple):
    """An object in a listing. `changed_at`: unix seconds."""

    name: str
    bytes: int
    changed_at: float


class ObjectDigest(NamedTuple):
    """What was read of an object: length, and SHA-256 as hex."""

    bytes: int
    sha256: str


class ObjectChanged(Exception):
    """Another writer has changed the object since its version was read."""


class ObjectMissing(Exception):
    """There is no object of this name."""


class SnapshotObjects(Protocol):
    """Objects by name, below one prefix. No call blocks the event loop. Every call raises SnapshotStoreAway."""

    label: str
    """The store, for people: without a password."""

    async def read(self, name: str, most_bytes: int) -> StoredObject | None:
        """A small object; None: there is none."""

    async def write(self, name: str, data: bytes, version: str | None) -> None:
        """Write a small object, if it still has this version (None: if there is none). Raises ObjectChanged."""

    async def upload(self, name: str, file: Path) -> None:
        """Store a file under a new name. An object that is not complete is never seen."""

    async def download(self, name: str, file: Path | None, most_bytes: int) -> ObjectDigest:
        """Read an object of at most `most_bytes` into a new file (None: only read it). Raises ObjectMissing."""

    async def delete(self, names: Iterable[str]) -> None:
        """Delete objects. One that is gone already is no error."""

    async def listing(self, folder: str) -> list[ObjectInfo]:
        """The objects directly below `folder`."""

    async def folders(self, folder: str) -> list[str]:
        """Names of the folders directly below `folder`; "": the prefix itself."""
