"""The store of uploads: a local folder or an object store. The API writes it, and workers read it."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from pageworker_supervisor.config.data_dir import give_to_worker, own_path
from pageworker_supervisor.config.redact import redact_url
from pageworker_supervisor.files.errors import FileMissing, FileStoreAway
from pageworker_supervisor.files.spool import UploadSpool
from pageworker_supervisor.files.stored_file import (
    HEADER_BYTES,
    HeaderUnreadable,
    StoredFile,
    expiry_of,
    key_of,
    parse_header,
)
from pageworker_supervisor.obstore_panics import panics_as_os_errors

CALL_SECONDS = 60.0
"""For one call: a whole upload, or the begin of a download."""
PART_BYTES = 256 * 1024
UPLOAD_PART_BYTES = 5 * 1024 * 1024
"""The smallest part of an S3 upload in parts."""
UPLOADED_PARTS = 2
"""Parts of one upload in memory."""
LEAST_BYTES = 64 * 1024
"""What a file counts at least of a tenant's storage. It bounds the number of files."""
FILE_MODE = 0o640
FOLDER_MODE = 0o750


class FileStore:
    """One store. Use `open`. `root` is its folder; None for an object store."""

    def __init__(self, url: str, root: Path | None, spool_dir: Path) -> None:
        self.root = root
        self._url = url
        self._spool_dir = spool_dir
        self._store: ObjectStore | None = None

    @classmethod
    def open(cls, url: str | None, data_dir: Path) -> Self:
        """The store at `url`; None: folder `files` in the data folder. Nothing is created before the first upload.

        Uploads are spooled in that folder in either case.
        """
        folder = data_dir / "files"
        if url is None:
            return cls(folder.absolute().as_uri(), folder, folder)
        parts = urlsplit(url)
        return cls(url, Path(unquote(parts.path)) if parts.scheme == "file" else None, folder)

    def spool(self) -> UploadSpool:
        """Begin an upload. Raises FileStoreAway."""
        with _store_errors():
            _make_root(self._spool_dir)
            return UploadSpool(self._spool_dir)

    async def put(self, file: StoredFile, spool: UploadSpool) -> None:
        """Store a whole upload. Raises FileStoreAway."""
        key = key_of(file.tenant_id, file.file_id)
        with _store_errors():
            async with asyncio.timeout(CALL_SECONDS):
                path = await spool.describe(file)
                if self.root is not None:
                    await asyncio.to_thread(_make_folders, self.root, file.tenant_id)
                await obstore.put_async(
                    self._opened(), key, path, chunk_size=UPLOAD_PART_BYTES, max_concurrency=UPLOADED_PARTS
                )
                if self.root is not None:
                    await asyncio.to_thread(_give, self.root / key, self.root, FILE_MODE)

    async def describe(self, tenant_id: str, file_id: str) -> StoredFile:
        """What is known of an upload. Raises FileMissing, also once it has expired, and FileStoreAway."""
        _check_expiry(file_id)
        with _store_errors():
            async with asyncio.timeout(CALL_SECONDS):
                key = key_of(tenant_id, file_id)
                header = await obstore.get_range_async(self._opened(), key, start=0, length=HEADER_BYTES)
            return parse_header(bytes(header), tenant_id, file_id)

    async def read(self, file: StoredFile) -> AsyncIterator[bytes]:
        """Its bytes, in parts. Raises FileMissing, FileStoreAway."""
        with _store_errors():
            async with asyncio.timeout(CALL_SECONDS):
                found = await obstore.get_async(self._opened(), key_of(file.tenant_id, file.file_id))
            if found.meta["size"] != HEADER_BYTES + file.bytes:
                raise HeaderUnreadable(f"it has {found.meta['size']} bytes")
            left_out = HEADER_BYTES
            async for part in found.stream(min_chunk_size=PART_BYTES):
                data = bytes(part)
                yield data[left_out:]
                left_out = max(0, left_out - len(data))

    async def delete(self, tenant_id: str, file_id: str) -> None:
        """Delete an upload. Raises FileMissing, FileStoreAway."""
        await self.describe(tenant_id, file_id)
        with _store_errors():
            await obstore.delete_async(self._opened(), key_of(tenant_id, file_id))

    async def used_bytes(self, tenant_id: str) -> int:
        """Of all uploads of a tenant, those included that have just expired. Raises FileStoreAway."""
        used = 0
        with _store_errors():
            async for objects in obstore.list(self._opened(), prefix=tenant_id):
                used += sum(max(LEAST_BYTES, one["size"]) for one in objects)
        return used

    async def expired(self, now: float) -> list[str]:
        """Keys of uploads whose time is over. Raises FileStoreAway."""
        if self.root is not None:
            return await asyncio.to_thread(_expired_in, self.root, now)
        with _store_errors():
            return [
                one["path"]
                async for objects in obstore.list(self._opened())
                for one in objects
                if _is_over(one["path"].rpartition("/")[2], now)
            ]

    async def remove(self, key: str) -> None:
        """Delete what `expired` has found. It may be gone. Raises FileStoreAway."""
        if self.root is not None:
            await asyncio.to_thread((self.root / key).unlink, missing_ok=True)
            return
        try:
            with _store_errors():
                await obstore.delete_async(self._opened(), key)
        except FileMissing:
            pass  # another process was quicker

    def _opened(self) -> ObjectStore:
        if self._store is None:
            if self.root is not None:
                _make_root(self.root)
                self._store = LocalStore(self.root)
            else:
                # No client options: they would replace those of the environment (AWS_ENDPOINT and so on).
                limit = timedelta(seconds=CALL_SECONDS)
                self._store = from_url(self._url, retry_config={"max_retries": 1, "retry_timeout": limit})
        return self._store

    def __repr__(self) -> str:
        return f"FileStore({redact_url(self._url)})"


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        with panics_as_os_errors():
            yield
    except FileNotFoundError:
        raise FileMissing from None
    except TimeoutError:
        raise FileStoreAway(f"the store of files did not answer within {CALL_SECONDS:g} s") from None
    except HeaderUnreadable as error:
        raise FileStoreAway(f"the store of files has something else in its place: {error}") from error
    except OSError as error:
        raise FileStoreAway(f"the store of files: {error.strerror or type(error).__name__}") from error
    except BaseError as error:
        # Its text has URLs.
        raise FileStoreAway(f"the store of files: {type(error).__name__}") from error


def _check_expiry(untrusted_file_id: str) -> None:
    expires_at = expiry_of(untrusted_file_id)
    if expires_at is None or expires_at <= time.time():
        raise FileMissing


def _is_over(name: str, now: float) -> bool:
    expires_at = expiry_of(name)
    return expires_at is not None and expires_at <= now


def _make_root(root: Path) -> None:
    if not root.is_dir():
        root.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        _give(root, root, FOLDER_MODE)


def _make_folders(root: Path, tenant_id: str) -> None:
    _make_root(root)
    folder = own_path(root.parent, root.name, tenant_id)
    if not folder.is_dir():
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
        _give(folder, root, FOLDER_MODE)


def _give(path: Path, root: Path, mode: int) -> None:
    """A worker reads what an API or a command of root has made."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, mode)
        give_to_worker(descriptor, root.parent)
    finally:
        os.close(descriptor)


def _expired_in(root: Path, now: float) -> list[str]:
    """Also what an upload has left that was cut off while it was renamed: `f_…#1`."""
    if not root.is_dir():
        return []
    return [
        f"{tenant.name}/{file.name}"
        for tenant in root.iterdir()
        if tenant.is_dir() and not tenant.is_symlink()
        for file in tenant.iterdir()
        if _is_over(file.name.partition("#")[0], now)
    ]
