"""Fetches the files of a job before it gets a page: into memory that the worker has for them, digests checked."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from pageworker_sandbox.wire.file_messages import MAX_JOB_FILES_BYTES
from pageworker_supervisor.artifacts.shares import ShareClaim, TenantShares
from pageworker_supervisor.config.file_settings import FileSettings
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.job_files import NamedFile
from pageworker_supervisor.files.errors import FileError, FileMissing, FilesCrowded, FileStoreAway
from pageworker_supervisor.files.fetched_file import FetchedFile
from pageworker_supervisor.files.memory_file import MemoryFile
from pageworker_supervisor.files.store import FileStore
from pageworker_supervisor.files.stored_file import StoredFile
from pageworker_supervisor.files.sweep import run_sweeps
from pageworker_supervisor.files.url_source import UrlSource
from pageworker_supervisor.files.url_target import permitted_target
from pageworker_supervisor.telemetry import log


class HeldFiles:
    """The files of one attempt, until it ends. Nothing of them is left after `close`."""

    def __init__(self, files: Sequence[FetchedFile] = (), held: ExitStack | None = None) -> None:
        self.files = tuple(files)
        self._held = held or ExitStack()

    def close(self) -> None:
        """Give the memory back. May be called again."""
        self._held.close()


class JobFiles:
    """The files of all jobs of a worker."""

    def __init__(self, settings: Live[FileSettings], hosts: Mapping[str, str], data_dir: Path) -> None:
        """`hosts`: the setting `egress.hosts`."""
        started = settings.value
        self.store = FileStore.open(started.url, data_dir)
        self.memory = TenantShares(started.memory_bytes, started.memory_bytes // 2)
        """Bytes of files that jobs have, or are fetching."""
        self._settings = settings
        self._urls = UrlSource(hosts)

    async def run(self) -> None:
        """Delete expired uploads of a folder, until cancelled. Those of an object store are deleted by the API."""
        if self.store.root is None:
            await asyncio.Event().wait()
        await run_sweeps(self.store)

    async def fetch(self, job: Job) -> HeldFiles:
        """All files of a job. Raises FileError, FilesCrowded, OSError: then nothing of them is left."""
        if not job.files:
            return HeldFiles()
        since, seconds = time.monotonic(), self._settings.value.fetch_seconds
        claim: ShareClaim | None = None
        try:
            async with asyncio.timeout(seconds):
                stored = [await self._described(job.tenant_id, file) for file in job.files]
                with ExitStack() as held:
                    claim = held.enter_context(self.memory.claim(job.tenant_id, self._most_bytes(stored)))
                    await claim.granted
                    files = await self._fetched(job, stored, held)
                    claim.shrink(sum(file.bytes for file in files))
                    kept = HeldFiles(files, held.pop_all())
        except TimeoutError:
            if claim is not None and not claim.held:
                raise FilesCrowded("the files of other jobs take the memory for files (files.memory_bytes)") from None
            raise FileError("file_unavailable", f"the files did not arrive within {seconds:g} s") from None
        log.debug("files fetched", job=str(job.ref), files=len(files), seconds=round(time.monotonic() - since, 4))
        return kept

    async def _described(self, tenant_id: str, file: NamedFile) -> StoredFile | None:
        """What is known of an upload; None: it is a URL."""
        if file.file_id is None:
            return None
        try:
            return await self.store.describe(tenant_id, file.file_id)
        except FileMissing:
            raise _unknown(file).of(file.name) from None
        except FileStoreAway as away:
            raise FileError("file_unavailable", str(away)).of(file.name) from away

    def _most_bytes(self, stored: Sequence[StoredFile | None]) -> int:
        """What the files may take, at least one byte. Those of a URL are known only once they have come."""
        most = self._settings.value.max_bytes
        total = sum(most if file is None else file.bytes for file in stored)
        if sum(file.bytes for file in stored if file is not None) > MAX_JOB_FILES_BYTES:
            text = f"the files of a job have at most {MAX_JOB_FILES_BYTES} bytes together"
            raise FileError("file_too_large", text)
        return max(1, min(total, MAX_JOB_FILES_BYTES))

    async def _fetched(self, job: Job, stored: Sequence[StoredFile | None], held: ExitStack) -> list[FetchedFile]:
        files, left = [], MAX_JOB_FILES_BYTES
        for file, known in zip(job.files, stored, strict=True):
            most = min(self._settings.value.max_bytes, left)
            try:
                fetched = await (self._from_url(file, most) if known is None else self._from_store(file, known, most))
            except FileError as error:
                raise error.of(file.name) from error
            held.callback(fetched.close)
            files.append(fetched)
            left -= fetched.bytes
        return files

    async def _from_store(self, file: NamedFile, known: StoredFile, most: int) -> FetchedFile:
        try:
            with MemoryFile(most) as arriving:
                async for part in self.store.read(known):
                    arriving.append(part)
                return arriving.sealed(file.name, known.content_type, file.sha256, known.sha256)
        except FileMissing:
            raise _unknown(file) from None
        except FileStoreAway as away:
            raise FileError("file_unavailable", str(away)) from away

    async def _from_url(self, file: NamedFile, most: int) -> FetchedFile:
        target = permitted_target(file.url or "", self._settings.value.allowed_urls)
        async with self._urls.open(target) as (content_type, parts):
            with MemoryFile(most) as arriving:
                async for part in parts:
                    arriving.append(part)
                return arriving.sealed(file.name, content_type, file.sha256)


def _unknown(file: NamedFile) -> FileError:
    """Of another tenant, or expired: it does not tell which."""
    return FileError("file_unknown", f"the tenant has no upload {file.file_id}, or has it no more")
