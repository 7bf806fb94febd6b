"""Reads and writes the files of a registry: a folder, an HTTP(S) prefix or an object store, all through obstore.

obstore takes the credentials of object stores from the environment (AWS_*, GOOGLE_*, AZURE_*).

Only the blocking calls of obstore are used, in threads. Its awaitable calls leave a thread behind that needs the
interpreter after they are done. A process that ended right after such a call was aborted (SIGABRT) in one of four runs
(obstore 0.12.1; https://github.com/PyO3/pyo3-async-runtimes/issues/40).
"""

import asyncio
import fcntl
import os
import re
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
    from obstore import GetOptions, GetResult, UpdateVersion
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
    """The bytes of a file, and the tag of this version if the store has tags. `generation`: the version in GCS."""

    data: bytes
    tag: str | None
    generation: str | None = None


class Store:
    """The files of a registry by name. Every error of the store becomes a RegistryAway."""

    def __init__(self, source: str | Path) -> None:
        self.folder = _folder(source)
        self._url = str(source)
        self._remote: ObjectStore | None = None

    @property
    def label(self) -> str:
        """The folder or the prefix, for people: without a password or token that its URL may hold."""
        if self.folder is not None:
            return str(self.folder)
        return re.sub(r"//[^/?#]*@", "//", re.split(r"[?#]", self._url)[0])

    async def get(self, name: str, most_bytes: int) -> Fetched:
        """Read a file of at most `most_bytes`. Raises NotThere, RegistryAway."""
        return await asyncio.to_thread(self._get, name, most_bytes)

    async def get_unless(self, name: str, most_bytes: int, tag: str) -> Fetched | None:
        """Read a file. None if it still has the tag. Raises NotThere, RegistryAway."""
        return await asyncio.to_thread(self._get_unless, name, most_bytes, tag)

    async def resume(self, name: str, most_bytes: int, begun: bytearray) -> None:
        """Append the rest of a file to its first bytes. After an error, `begun` holds what came before it.

        Raises NotThere, RegistryAway: also if the store sends whole files only.
        """
        await asyncio.to_thread(self._resume, name, most_bytes, begun)

    async def put(self, name: str, data: bytes) -> None:
        """Write a file atomically. Raises RegistryAway."""
        await asyncio.to_thread(self._put, name, data)

    async def put_unless_changed(self, name: str, data: bytes, before: Fetched | None) -> None:
        """Write a file if it is still the one that was read, or if it does not exist yet (None). Raises
        RegistryRefused, RegistryAway.

        A folder has no conditional writes: there the caller holds `locked`. Other stores without them are refused.
        """
        await asyncio.to_thread(self._put_unless_changed, name, data, before)

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Lock a folder for one publisher at a time. Other stores use conditional writes instead."""
        if self.folder is None:
            yield
            return
        with _translated(LOCK_FILE):
            self._make()
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self.folder / LOCK_FILE, flags, 0o644)
        # A thread of its own: waiting publishers must not use up the threads that the writing one needs.
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

    def _resume(self, name: str, most_bytes: int, begun: bytearray) -> None:
        with _translated(name):
            part: GetOptions = {"range": {"offset": len(begun)}} if begun else {}
            _append(self._open().get(name, options=part), name, most_bytes, begun)

    def _put(self, name: str, data: bytes) -> None:
        with _translated(name):
            self._make().put(name, data, use_multipart=False)

    def _put_unless_changed(self, name: str, data: bytes, before: Fetched | None) -> None:
        with _translated(name):
            store = self._make()
            try:
                store.put(name, data, mode=_condition(before) or "create", use_multipart=False)
            except (exceptions.AlreadyExistsError, exceptions.PreconditionError) as error:
                raise RegistryRefused(
                    "another publisher changed the registry at the same time", "run the same command again"
                ) from error
            # A store without conditional writes. obstore raises the first error for folders, the second for HTTP.
            except (NotImplementedError, exceptions.NotSupportedError) as missing:
                if self.folder is None:
                    raise RegistryRefused(
                        "this store has no conditional writes: of two concurrent publications, one would be lost",
                        "use a folder, or an object store with conditional writes (S3, GCS, Azure)",
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
    _append(result, name, most_bytes, untrusted)
    return Fetched(bytes(untrusted), result.meta["e_tag"], result.meta["version"])


def _condition(before: Fetched | None) -> "UpdateVersion":
    """S3 and Azure compare the tag, GCS compares the generation. Empty: there is nothing to compare with."""
    condition: UpdateVersion = {}
    if before is not None and before.tag:
        condition["e_tag"] = before.tag
    if before is not None and before.generation:
        condition["version"] = before.generation
    return condition


def _append(result: "GetResult", name: str, most_bytes: int, untrusted: bytearray) -> None:
    # Do not trust the size that the server announces.
    for chunk in result.stream(min_chunk_size=CHUNK_BYTES):
        untrusted += chunk
        if len(untrusted) > most_bytes:
            raise RegistryAway(f"{name} in the registry is larger than {most_bytes} bytes")


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
        # The text may contain paths and URLs: only the operator sees it, not the producer of the job.
        detail = str(error).partition("\n\nDebug source")[0]
        raise RegistryAway("the registry does not answer", f"{RegistryAway.mend}: {detail}") from error
