"""An object store by obstore, for snapshots: S3, GCS, Azure and what speaks their protocols.

obstore takes credentials and options from the environment (AWS_*, GOOGLE_*, AZURE_*). Only its blocking calls are
used, in threads of their own: see registry/store.py. Containers go in pieces, so that no call needs much memory.
"""

import asyncio
import hashlib
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import obstore
from obstore import exceptions
from obstore.store import ObjectStore, from_url

from pageworker_profiles.errors import SnapshotStoreAway, explained
from pageworker_profiles.snapshots.objects import (
    PIECE_BYTES,
    ObjectChanged,
    ObjectDigest,
    ObjectInfo,
    ObjectMissing,
    StoredObject,
)
from pageworker_supervisor.config.redact import redact_url
from pageworker_supervisor.obstore_panics import panics_as_os_errors

if TYPE_CHECKING:
    from obstore import UpdateVersion

THREADS = 4
PART_BYTES = 8 * 1024 * 1024
PARTS_AT_ONCE = 2
RETRY_SECONDS = 10.0
MISSING = (FileNotFoundError, exceptions.NotFoundError)
T = TypeVar("T")


class BucketObjects:
    """See SnapshotObjects. Nothing is read before the first call."""

    def __init__(self, url: str) -> None:
        self.label = redact_url(url)
        self._url = url
        self._store: ObjectStore | None = None
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="snapshot")

    async def read(self, name: str, most_bytes: int) -> StoredObject | None:
        """See SnapshotObjects."""
        return await self._do(name, lambda store: _read(store, name, most_bytes))

    async def write(self, name: str, data: bytes, version: str | None) -> None:
        """See SnapshotObjects."""
        await self._do(name, lambda store: _write(store, name, data, version))

    async def upload(self, name: str, file: Path) -> None:
        """See SnapshotObjects."""
        await self._do(name, lambda store: _upload(store, name, file))

    async def download(self, name: str, file: Path | None, most_bytes: int) -> ObjectDigest:
        """See SnapshotObjects."""
        stopped = threading.Event()
        try:
            return await self._do(name, lambda store: _download(store, name, file, most_bytes, stopped))
        finally:
            # A thread cannot be cancelled. It looks after each piece.
            stopped.set()

    async def delete(self, names: Iterable[str]) -> None:
        """See SnapshotObjects."""
        if chosen := list(names):
            await self._do(chosen[0], lambda store: _delete(store, chosen))

    async def listing(self, folder: str) -> list[ObjectInfo]:
        """See SnapshotObjects."""
        return await self._do(folder, lambda store: _listing(store, folder))

    async def folders(self, folder: str) -> list[str]:
        """See SnapshotObjects."""
        return await self._do(folder, lambda store: _folders(store, folder))

    async def _do(self, name: str, call: Callable[[ObjectStore], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._act, name, call)

    def _act(self, name: str, call: Callable[[ObjectStore], T]) -> T:
        try:
            with panics_as_os_errors():
                if self._store is None:
                    self._store = from_url(
                        self._url,
                        retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=RETRY_SECONDS)},
                    )
                return call(self._store)
        except (exceptions.BaseError, OSError, ValueError) as error:
            detail = str(error).partition("\n\nDebug source")[0]
            raise SnapshotStoreAway(f"{self.label}: {name}: {detail}") from error


def _read(store: ObjectStore, name: str, most_bytes: int) -> StoredObject | None:
    try:
        found = store.get(name)
    except MISSING:
        return None
    untrusted = bytearray()
    # Do not trust the size that the server announces.
    for chunk in found.stream(min_chunk_size=64 * 1024):
        untrusted += chunk
        if len(untrusted) > most_bytes:
            raise SnapshotStoreAway(f"{name} is larger than {most_bytes} bytes: it is no object of a snapshot store")
    tag, generation = found.meta["e_tag"], found.meta["version"]
    if tag is None and generation is None:
        raise SnapshotStoreAway("the store gives its objects no tags, so that it has no conditional writes")
    # S3 and Azure compare the tag, GCS compares the generation.
    return StoredObject(bytes(untrusted), f"{tag or ''}\n{generation or ''}")


def _write(store: ObjectStore, name: str, data: bytes, version: str | None) -> None:
    condition: UpdateVersion = {}
    if version is not None:
        tag, generation = version.split("\n")
        if tag:
            condition["e_tag"] = tag
        if generation:
            condition["version"] = generation
    try:
        store.put(name, data, mode=condition or "create", use_multipart=False)
    # A condition on an object that is gone meanwhile: S3 answers 404.
    except (exceptions.AlreadyExistsError, exceptions.PreconditionError, *MISSING) as error:
        raise ObjectChanged(name) from error
    # obstore raises the first error for folders, the second for HTTP.
    except (NotImplementedError, exceptions.NotSupportedError) as error:
        raise SnapshotStoreAway(
            f"{name}: this store has no conditional writes, so an older worker could overwrite a newer one: "
            "use S3, GCS or Azure, or a folder"
        ) from error


def _upload(store: ObjectStore, name: str, file: Path) -> None:
    with file.open("rb") as source:
        obstore.put(store, name, source, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE)


def _download(
    store: ObjectStore, name: str, file: Path | None, most_bytes: int, stopped: threading.Event
) -> ObjectDigest:
    digest, size = hashlib.sha256(), 0
    try:
        length = min(store.head(name)["size"], most_bytes + 1)
    except MISSING as error:
        raise ObjectMissing(name) from error
    where = file or Path(os.devnull)
    # An error of this disk is not one of the store.
    with explained("writing", where):
        target = where.open("wb" if file is None else "xb")
    with target:
        while size < length and not stopped.is_set():
            piece = bytes(store.get_range(name, start=size, end=min(size + PIECE_BYTES, length)))
            if not piece:
                break
            digest.update(piece)
            size += len(piece)
            with explained("writing", where):
                target.write(piece)
                target.flush()
    return ObjectDigest(size, digest.hexdigest())


def _delete(store: ObjectStore, names: list[str]) -> None:
    for name in names:
        try:
            store.delete(name)
        except MISSING:
            continue


def _listing(store: ObjectStore, folder: str) -> list[ObjectInfo]:
    return [
        ObjectInfo(meta["path"], meta["size"], meta["last_modified"].timestamp())
        for meta in store.list_with_delimiter(f"{folder}/")["objects"]
    ]


def _folders(store: ObjectStore, folder: str) -> list[str]:
    found = store.list_with_delimiter(f"{folder}/" if folder else None)["common_prefixes"]
    return [path.rstrip("/").rpartition("/")[2] for path in found]
