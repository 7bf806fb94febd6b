"""A folder as an object store: for workers that share a file system, and for tests.

Each write is a new file that is synced and renamed, so no reader sees half an object, and a power cut leaves the old or
the new one. The condition of a write is checked under a kernel lock of the object's folder (flock(2)), which works
between hosts where the file system supports it.
"""

import asyncio
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from pageworker_profiles.errors import SnapshotStoreAway, explained
from pageworker_profiles.locks import Lock
from pageworker_profiles.snapshots.objects import (
    PIECE_BYTES,
    ObjectChanged,
    ObjectDigest,
    ObjectInfo,
    ObjectMissing,
    StoredObject,
)

LOCK = ".lock"
NEW = ".new-"
T = TypeVar("T")


class FolderObjects:
    """See SnapshotObjects. The folder must exist: one that is not mounted must not look like an empty store."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.label = str(root)

    async def read(self, name: str, most_bytes: int) -> StoredObject | None:
        """See SnapshotObjects."""
        return await self._do("reading", name, lambda file: _read(file, most_bytes))

    async def write(self, name: str, data: bytes, version: str | None) -> None:
        """See SnapshotObjects."""
        await self._do("writing", name, lambda file: _write(file, data, version))

    async def upload(self, name: str, file: Path) -> None:
        """See SnapshotObjects."""
        await self._do("writing", name, lambda target: _copy(file, target))

    async def download(self, name: str, file: Path | None, most_bytes: int) -> ObjectDigest:
        """See SnapshotObjects."""
        return await self._do("reading", name, lambda source: _digest(source, file, most_bytes))

    async def delete(self, names: Iterable[str]) -> None:
        """See SnapshotObjects."""
        for name in names:
            await self._do("deleting", name, lambda file: file.unlink(missing_ok=True))

    async def listing(self, folder: str) -> list[ObjectInfo]:
        """See SnapshotObjects."""
        return await self._do("listing", folder, lambda path: list(_infos(folder, path)))

    async def folders(self, folder: str) -> list[str]:
        """See SnapshotObjects."""
        return await self._do("listing", folder, lambda path: [one.name for one in _entries(path) if one.is_dir()])

    async def _do(self, act: str, name: str, call: Callable[[Path], T]) -> T:
        return await asyncio.to_thread(self._act, act, name, call)

    def _act(self, act: str, name: str, call: Callable[[Path], T]) -> T:
        if not self.root.is_dir():
            raise SnapshotStoreAway(f"{self.root} is no folder: mount it, or create it once for all workers")
        try:
            return call(self.root / name)
        except OSError as error:
            raise SnapshotStoreAway(f"{act} {self.root / name}: {error.strerror or error}") from error


def _read(file: Path, most_bytes: int) -> StoredObject | None:
    try:
        with file.open("rb") as reading:
            data = reading.read(most_bytes + 1)
    except FileNotFoundError:
        return None
    if len(data) > most_bytes:
        raise SnapshotStoreAway(f"{file} is larger than {most_bytes} bytes: it is no object of a snapshot store")
    return StoredObject(data, _version(data))


def _write(file: Path, data: bytes, version: str | None) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = Lock.take(file.parent / LOCK, wait=True, sign=False)
    try:
        found = _read(file, len(data) + 2**20)
        if (None if found is None else found.version) != version:
            raise ObjectChanged(str(file))
        with _new(file) as new:
            new.write_bytes(data)
    finally:
        if lock is not None:
            lock.release()


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with _new(target) as new:
        shutil.copyfile(source, new)


@contextmanager
def _new(target: Path) -> Iterator[Path]:
    """A file that becomes `target` once it is written and synced."""
    new = target.with_name(f"{NEW}{os.urandom(8).hex()}")
    try:
        yield new
        _sync(new, os.O_RDONLY)
        new.replace(target)
        _sync(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    finally:
        new.unlink(missing_ok=True)


def _digest(source: Path, target: Path | None, most_bytes: int) -> ObjectDigest:
    digest, size = hashlib.sha256(), 0
    try:
        reading = source.open("rb")
    except FileNotFoundError as error:
        raise ObjectMissing(str(source)) from error
    where = target or Path(os.devnull)
    # An error of this disk is not one of the store.
    with reading, explained("writing", where), where.open("wb" if target is None else "xb") as writing:
        while size <= most_bytes and (data := reading.read(min(PIECE_BYTES, most_bytes + 1 - size))):
            digest.update(data)
            size += len(data)
            writing.write(data)
    return ObjectDigest(size, digest.hexdigest())


def _infos(folder: str, path: Path) -> Iterator[ObjectInfo]:
    for entry in _entries(path):
        with suppress(FileNotFoundError):
            if entry.name != LOCK and entry.is_file():
                status = entry.stat()
                yield ObjectInfo(f"{folder}/{entry.name}", status.st_size, status.st_mtime)


def _entries(path: Path) -> list[Path]:
    try:
        return list(path.iterdir())
    except FileNotFoundError:
        return []


def _version(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
