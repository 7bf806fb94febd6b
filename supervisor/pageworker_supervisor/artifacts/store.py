"""The artifact store: a local folder or an object store behind one `put`."""

import asyncio
import datetime as dt
import errno
import hashlib
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar, TypeVarTuple, Unpack
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import AzureStore, GCSStore, LocalStore, ObjectStore, S3Store, from_url

from pageworker_sandbox import memfd
from pageworker_sandbox.wire.messages import MAX_ARTIFACT_BYTES
from pageworker_supervisor.artifacts.errors import ArtifactError, ArtifactFailure, ArtifactMissing, ArtifactStoreAway
from pageworker_supervisor.artifacts.keys import key_of
from pageworker_supervisor.artifacts.link_secret import ArtifactLinks, LinkSecretAway
from pageworker_supervisor.artifacts.shares import TenantShares
from pageworker_supervisor.artifacts.sweep import KindSweeper, overdue, sweep
from pageworker_supervisor.config.artifact_settings import ArtifactSettings
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.redact import redact_url
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.result import ArtifactRecord
from pageworker_supervisor.obstore_panics import panics_as_os_errors
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from obstore import GetResult

CONCURRENCY = 256
"""Artifacts stored at the same time; for one tenant half as many."""
TRIES = 3
TRY_SECONDS = 20.0
PUT_SECONDS = 60.0
"""For all tries of one artifact, the waiting before and between them included."""
RETRY_SECONDS = 1.0
"""Most of the pause before the second try. Each further pause may be twice as long."""
PAUSE_SECONDS = 15.0
"""After a try timed out, new artifacts of the same tenant fail at once for this time: each job would wait in vain."""
WAITING_BYTES = 4 * MAX_ARTIFACT_BYTES
THREADS = 4
SWEEP_SECONDS = 3600.0
PART_BYTES = 256 * 1024
"""An artifact is read in parts of about this size."""
FILE_MODE = 0o640
FOLDER_MODE = 0o750


Ts = TypeVarTuple("Ts")
T = TypeVar("T")


class ArtifactStore:
    """One store. Use `open`. `root` is its folder; None for an object store."""

    def __init__(
        self,
        url: str,
        root: Path | None,
        metrics: Metrics | None,
        waiting_bytes: int,
        link_seconds: int | None,
        concurrency: int,
        links: ArtifactLinks | None = None,
    ) -> None:
        self.root = root
        self._links = links if root is not None else None
        self.pending_bytes = TenantShares(waiting_bytes, waiting_bytes // 2)
        """Bytes of artifacts in this process that are not stored yet. Claim them before reading an artifact."""
        self._url = url.rstrip("/")
        self._link_seconds = link_seconds if root is None else None
        self._metrics = metrics
        self._store: ObjectStore | None = None
        self._slots = TenantShares(concurrency, concurrency // 2)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="artifact")
        self._paused_until: dict[str, float] = {}
        self._kinds = KindSweeper()

    @classmethod
    def open(
        cls,
        url: str | None,
        data_dir: Path,
        metrics: Metrics | None = None,
        waiting_bytes: int = WAITING_BYTES,
        link_seconds: int | None = None,
        concurrency: int = CONCURRENCY,
        links: ArtifactLinks | None = None,
    ) -> Self:
        """The store at `url`; None: folder `artifacts` in the data folder. Nothing is created before the first
        `put`. `link_seconds`: how long the signed links of an object store work; None: its plain addresses.
        `concurrency`: artifacts that are stored at the same time, at least 2."""
        if url is None:
            root = data_dir / "artifacts"
            return cls(root.absolute().as_uri(), root, metrics, waiting_bytes, link_seconds, concurrency, links)
        parts = urlsplit(url)
        folder = Path(unquote(parts.path)) if parts.scheme == "file" else None
        return cls(url, folder, metrics, waiting_bytes, link_seconds, concurrency, links)

    @classmethod
    def of(
        cls, settings: ArtifactSettings, data_dir: Path, metrics: Metrics, links: ArtifactLinks | None = None
    ) -> Self:
        """The store of a worker. `links`: to artifacts in a folder; None: they have their file URLs."""
        link_seconds = None if settings.links == "plain" else settings.link_seconds
        return cls.open(
            *(settings.url, data_dir, metrics, settings.waiting_bytes, link_seconds, settings.concurrency, links)
        )

    async def read(self, descriptor: int) -> bytes:
        """The bytes of a sealed memfd. The caller holds its share of `pending_bytes`."""
        return await self._in_thread(memfd.read_sealed, descriptor, MAX_ARTIFACT_BYTES)

    async def put(self, ref: JobRef, attempt: int, kind: str, content_type: str, data: bytes) -> ArtifactRecord:
        """Store `data`, in TRIES tries at most. Raises ArtifactError, after PUT_SECONDS at the latest."""
        try:
            artifact = await self._put(ref, attempt, kind, content_type, data)
        except ArtifactError as error:
            if self._metrics is not None:
                self._metrics.results.not_stored(error.type)
            raise
        if self._metrics is not None:
            self._metrics.results.stored(len(data))
        return artifact

    async def _put(self, ref: JobRef, attempt: int, kind: str, content_type: str, data: bytes) -> ArtifactRecord:
        if len(data) > MAX_ARTIFACT_BYTES:
            raise ArtifactError("too_large", f"{len(data)} bytes, at most {MAX_ARTIFACT_BYTES}")
        if time.monotonic() < self._paused_until.get(ref.tenant_id, 0.0):
            raise ArtifactError(
                "paused", f"an artifact of this tenant was not stored in time within the last {PAUSE_SECONDS:g} s"
            )
        sha256 = await self._in_thread(_sha256, data)
        today = dt.datetime.now(dt.UTC).date()
        key = key_of(ref, today, attempt, kind, content_type, sha256)
        try:
            async with asyncio.timeout(PUT_SECONDS):
                url = await self._tried(ref.tenant_id, key, content_type, data)
        except TimeoutError:
            self._pause(ref.tenant_id)
            raise ArtifactError("too_slow", f"not stored within {PUT_SECONDS:g} s") from None
        return ArtifactRecord(kind=kind, url=url, sha256=sha256, bytes=len(data), content_type=content_type)

    async def _tried(self, tenant_id: str, key: str, content_type: str, data: bytes) -> str:
        """Store it under `key` and return its URL. Raises ArtifactError after the last try."""
        for number in range(1, TRIES + 1):
            try:
                with self._slots.claim(tenant_id, 1) as slot:
                    await slot.granted
                    url = await self._try(key, content_type, data)
                self._paused_until.pop(tenant_id, None)
                return url
            except ArtifactError as error:
                if error.type == "too_slow":
                    self._pause(tenant_id)
                if not error.retryable or number == TRIES:
                    raise
            await asyncio.sleep(RETRY_SECONDS * 2 ** (number - 1) * random.random())
        raise AssertionError("the last try returns or raises")

    async def _try(self, key: str, content_type: str, data: bytes) -> str:
        try:
            async with asyncio.timeout(TRY_SECONDS):
                with panics_as_os_errors():
                    # First: without a link, the artifact could not be opened.
                    url = await self._link(key)
                    await self._write(key, content_type, data)
                    return url
        except TimeoutError:
            raise ArtifactError("too_slow", f"not stored within {TRY_SECONDS:g} s") from None
        except (BaseError, OSError, ValueError) as error:
            raise _explain(error) from error

    async def _link(self, key: str) -> str:
        """The URL of an artifact. A signed link is computed here; only some credentials need a server for it."""
        if self._links is not None:
            try:
                return await self._links.link(key)
            except LinkSecretAway as away:
                raise ArtifactError("unsigned", f"no signed link: {away}") from away
        if self._link_seconds is None:
            return f"{redact_url(self._url)}/{key}"
        store, lifetime = self._opened(), timedelta(seconds=self._link_seconds)
        why = "this kind of store has none"
        if isinstance(store, S3Store | GCSStore | AzureStore):
            try:
                return await obstore.sign_async(store, "GET", key, lifetime)
            except BaseError as error:
                why = type(error).__name__
        raise ArtifactError(
            "unsigned", f"no signed link ({why}): the store's credentials cannot sign, see artifacts.links"
        )

    async def _write(self, key: str, content_type: str, data: bytes) -> None:
        store = self._opened()
        if self.root is None:
            await obstore.put_async(store, key, data, attributes={"Content-Type": content_type})
            return
        file = self.root / key
        await self._in_thread(_make_folders, self.root, file.parent)
        await obstore.put_async(store, key, data)
        await self._in_thread(file.chmod, FILE_MODE)

    async def get(self, key: str) -> tuple[int, AsyncIterator[bytes]]:
        """Size and bytes, in parts, of a stored artifact. Raises ArtifactMissing, ArtifactStoreAway, also while it is
        read."""
        with _reading():
            async with asyncio.timeout(PUT_SECONDS):
                found = await obstore.get_async(self._opened(), key)
            return found.meta["size"], _parts(found)

    async def _in_thread(self, act: Callable[[Unpack[Ts]], T], *arguments: *Ts) -> T:
        """Run in a thread of the store: copying and hashing 32 MiB takes tens of milliseconds."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, act, *arguments)

    def _pause(self, tenant_id: str) -> None:
        now = time.monotonic()
        self._paused_until = {one: until for one, until in self._paused_until.items() if until > now}
        self._paused_until[tenant_id] = now + PAUSE_SECONDS

    def _opened(self) -> ObjectStore:
        if self._store is None:
            if self.root is not None:
                self.root.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
                self._store = LocalStore(self.root)
            else:
                self._store = _remote(self._url)
        return self._store

    async def run_sweeps(self, settings: Live[ArtifactSettings]) -> None:
        """Delete old local artifacts, until cancelled. An object store has lifecycle rules of its own."""
        if self.root is None:
            await asyncio.Event().wait()
            return
        while True:
            try:
                now, kept = dt.datetime.now(dt.UTC), settings.value
                old = await self._in_thread(overdue, self.root, now, kept.keep_days)
                if removed := await sweep(old):
                    log.info("old artifacts deleted", folders=removed)
                if files := await self._in_thread(self._kinds.sweep, self.root, now, kept.keep_days_of):
                    log.info("old artifacts deleted", files=files)
            except OSError as error:
                # The folder cannot be read now, or no descriptor is free: the next sweep deletes it.
                log.warning("old artifacts were not deleted", reason=error.strerror or str(error))
            await asyncio.sleep(SWEEP_SECONDS)

    def __repr__(self) -> str:
        return f"ArtifactStore({redact_url(self._url)})"


async def _parts(found: "GetResult") -> AsyncIterator[bytes]:
    with _reading():
        async for part in found.stream(min_chunk_size=PART_BYTES):
            yield bytes(part)


@contextmanager
def _reading() -> Iterator[None]:
    try:
        with panics_as_os_errors():
            yield
    except FileNotFoundError:
        raise ArtifactMissing from None
    except TimeoutError:
        raise ArtifactStoreAway(f"the store did not answer within {PUT_SECONDS:g} s") from None
    except (BaseError, OSError) as error:
        raise ArtifactStoreAway(str(_explain(error))) from error


def _remote(url: str) -> ObjectStore:
    if url.startswith("memory:"):
        return from_url(url)
    # No retries of its own: `ArtifactStore.put` tries again. No client options: they would replace those of the
    # environment (AWS_ALLOW_HTTP, AWS_ENDPOINT and so on), with which operators configure object stores.
    return from_url(url, retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=TRY_SECONDS)})


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _make_folders(root: Path, folder: Path) -> None:
    # One by one: `parents=True` would create the upper folders with the process's umask.
    for parent in reversed(folder.relative_to(root).parents):
        (root / parent).mkdir(mode=FOLDER_MODE, exist_ok=True)
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)


def _explain(error: Exception) -> ArtifactError:
    """The failure with a message that holds no URL and no path: it goes into the logs of jobs."""
    number = error.errno if isinstance(error, OSError) else None
    text = str(error).lower()
    failure: ArtifactFailure = "unavailable"
    if number in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC).lower() in text:
        failure = "full"
    elif number in (errno.EACCES, errno.EPERM, errno.EROFS) or isinstance(
        error, PermissionDeniedError | UnauthenticatedError
    ):
        failure = "denied"
    return ArtifactError(failure, os.strerror(number) if number else type(error).__name__)
