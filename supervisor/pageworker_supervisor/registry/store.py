"""Where a registry's files are: a folder, an HTTP(S) prefix or a prefix in an object store, all through obstore.

Object stores take their credentials as obstore does, from the environment (AWS_*, GOOGLE_*, AZURE_*).

Only obstore's blocking calls are used, in threads. Its awaitable ones leave a thread of its runtime behind that
still wants the interpreter when they are done: a process that ends right after one was aborted (SIGABRT) in one of
four runs (obstore 0.12.1; https://github.com/PyO3/pyo3-async-runtimes/issues/40).
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from obstore import exceptions
from obstore.store import LocalStore, ObjectStore, from_url

from pageworker_supervisor.obstore_panics import panics_as_os_errors
from pageworker_supervisor.registry.errors import NotThere, RegistryAway, RegistryRefused

if TYPE_CHECKING:
    from obstore import GetResult
    from obstore.store import ClientConfig, RetryConfig

LOCK_FILE = ".publish.lock"
CHUNK_BYTES = 1024 * 1024
_CLIENT: "ClientConfig" = {
    "allow_http": True,
    "connect_timeout": "5s",
    "read_timeout": "10s",
    "timeout": "60s",
}
_RETRY: "RetryConfig" = {"max_retries": 1, "retry_timeout": timedelta(seconds=10)}


@dataclass(frozen=True)
class Fetched:
    """A file's bytes and the tag that this version of it has, where the store gives one."""

    data: bytes
    tag: str | None


class Store:
    """A registry's files by name. Every error of the way there is a RegistryAway."""

    def __init__(self, source: str | Path) -> None:
        self.folder = _folder(source)
        self._url = str(source)
        self._remote: ObjectStore | None = None

    async def get(self, name: str, most_bytes: int) -> Fetched:
        """A file. Raises NotThere, RegistryAway."""
        return await asyncio.to_thread(self._get, name, most_bytes)

    async def get_unless(self, name: str, most_bytes: int, tag: str) -> Fetched | None:
        """A file; None where it still has the tag. Raises NotThere, RegistryAway."""
        return await asyncio.to_thread(self._get_unless, name, most_bytes, tag)

    async def put(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all. Raises RegistryAway."""
        await asyncio.to_thread(self._put, name, data)

    async def put_unless_changed(self, name: str, data: bytes, tag: str | None) -> None:
        """Write a file that still has the tag, or (None) does not exist yet. Raises Refused, RegistryAway.

        A folder has no such writes: its lock stands in for them. Any other store that has none is refused.
        """
        await asyncio.to_thread(self._put_unless_changed, name, data, tag)

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Hold a folder for one publisher at a time. Elsewhere conditional writes do that."""
        if self.folder is None:
            yield
            return
        with _translated(LOCK_FILE):
            self._make()
            descriptor = os.open(self.folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        # A thread of its own: those who wait here must not take the threads of the one who writes.
        waiting = ThreadPoolExecutor(1)
        try:
            await asyncio.get_running_loop().run_in_executor(waiting, fcntl.flock, descriptor, fcntl.LOCK_EX)
            yield
        finally:
            waiting.shutdown(wait=False)
            os.close(descriptor)

    def _get(self, name: str, most_bytes: int) -> Fetched:
        with _translated(name):
            return _read(self._open().get(name), name, most_bytes)

    def _get_unless(self, name: str, most_bytes: int, tag: str) -> Fetched | None:
        with _translated(name):
            try:
                result = self._open().get(name, options={"if_none_match": tag})
            except exceptions.NotModifiedError:
                return None
            return _read(result, name, most_bytes)

    def _put(self, name: str, data: bytes) -> None:
        with _translated(name):
            self._make().put(name, data, use_multipart=False)

    def _put_unless_changed(self, name: str, data: bytes, tag: str | None) -> None:
        with _translated(name):
            store = self._make()
            try:
                store.put(name, data, mode={"e_tag": tag} if tag else "create", use_multipart=False)
            except (exceptions.AlreadyExistsError, exceptions.PreconditionError) as error:
                raise RegistryRefused(
                    "somebody else is publishing here right now", "run the same command again"
                ) from error
            # What obstore raises where a store has no such writes: a folder the one, web servers the other.
            except (NotImplementedError, exceptions.NotSupportedError) as missing:
                if self.folder is None:
                    raise RegistryRefused(
                        "this store has no conditional writes: of two who publish at once, one would be lost",
                        "use a folder, or an object store that has them (S3, GCS, Azure)",
                    ) from missing
                store.put(name, data, use_multipart=False)  # under the folder's lock

    def _open(self) -> ObjectStore:
        if self.folder is not None:
            if not self.folder.is_dir():
                raise FileNotFoundError(self.folder)
            return LocalStore(self.folder)
        if self._remote is None:
            self._remote = from_url(self._url, client_options=_CLIENT, retry_config=_RETRY)
        return self._remote

    def _make(self) -> ObjectStore:
        return LocalStore(self.folder, mkdir=True) if self.folder is not None else self._open()


def _read(result: "GetResult", name: str, most_bytes: int) -> Fetched:
    untrusted = bytearray()
    # The announced size is only a claim.
    for chunk in result.stream(min_chunk_size=CHUNK_BYTES):
        untrusted += chunk
        if len(untrusted) > most_bytes:
            raise RegistryAway(f"{name} in the registry is larger than {most_bytes} bytes")
    return Fetched(bytes(untrusted), result.meta["e_tag"])


def _folder(source: str | Path) -> Path | None:
    text = str(source)
    if isinstance(source, Path) or "://" not in text:
        return Path(text).expanduser().absolute()
    return Path(text.removeprefix("file://")) if text.startswith("file://") else None


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        with panics_as_os_errors():
            yield
    except FileNotFoundError as error:
        raise NotThere(f"the registry has no {name}") from error
    except (exceptions.BaseError, OSError, ValueError) as error:
        # The text may hold paths and URLs: for the operator, not for the job's sender.
        detail = str(error).partition("\n\nDebug source")[0]
        raise RegistryAway("the registry does not answer", f"{RegistryAway.mend}: {detail}") from error
