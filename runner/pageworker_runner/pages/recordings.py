"""Records what an attempt does: a HAR of a page, or a trace. Playwright's driver writes them, this process sends them.

The driver leaves marks that no command of it takes back. A HAR leaves listeners on its page, so the page is replaced. A
trace leaves a script in the browser context and files in the scratch folder, so the runner is retired.
"""

import asyncio
import io
import os
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import msgspec
from playwright.async_api import BrowserContext, Page

from pageworker_runner.errors import OutputLimit
from pageworker_runner.pages.command_recorder import CommandRecorder
from pageworker_runner.pages.downloads import up_to
from pageworker_runner.pages.playwright_internals.client_objects import guid_of
from pageworker_runner.pages.playwright_internals.driver_artifacts import Artifact, chunks_of
from pageworker_runner.pages.playwright_internals.driver_recordings import (
    drop_trace,
    empty_har,
    export_har,
    start_har,
    start_trace,
    stop_trace,
)
from pageworker_runner.pages.redaction import Redaction
from pageworker_runner.pages.trace_filter import own_trace
from pageworker_runner.reporting.reporter import Reporter
from pageworker_sandbox.wire.messages import MAX_ARTIFACT_BYTES

SCRATCH = "/tmp"  # noqa: S108 - the sandbox has its own, which no code of a module can read
MOST_BYTES = 2 * MAX_ARTIFACT_BYTES
"""Of a recording as the driver has it. What is kept of it is smaller, and may have MAX_ARTIFACT_BYTES."""


HAR, TRACE = "HAR", "trace"


@dataclass(frozen=True, eq=False)
class Recording:
    """A recording that has begun. `name`: what it is called in messages."""

    name: str
    content_type: str
    finish: Callable[[], Awaitable[bytes]]
    """Ends it, and returns what is kept. Call it or `drop` once. Raises OutputLimit, Playwright's Error."""
    drop: Callable[[], Awaitable[None]]
    """Ends it, and keeps nothing. Raises Playwright's Error."""


class Recordings:
    """All recordings of this runner."""

    def __init__(
        self, context: BrowserContext, recorder: CommandRecorder, reporter: Reporter, redaction: Redaction
    ) -> None:
        self._context = context
        self._recorder = recorder
        self._reporter = reporter
        self._redaction = redaction
        self._tracing = asyncio.Lock()
        self._traced = ""
        """The attempt whose trace was begun last."""
        self._har_files: set[int] = set()
        """Numbers of the files that are in use."""
        # Not asyncio's own threads: modules may block all of those.
        self._thread = ThreadPoolExecutor(1, "recordings")

    async def start_har(self, page: Page, *, bodies: bool, url: str | None) -> Recording:
        """Begin a HAR of this page. Raises Playwright's Error."""
        number = next(number for number in range(len(self._har_files) + 1) if number not in self._har_files)
        self._har_files.add(number)
        path = f"{SCRATCH}/pageworker-{os.getpid()}-{number}.har"
        self._recorder.mark_permanent(guid_of(page), "Tracing.harStart")
        har_id = await start_har(page, path, bodies=bodies, url=url)

        async def finish() -> bytes:
            archive = await _taken(await export_har(self._context, har_id), HAR)
            await empty_har(self._context, path)
            self._har_files.discard(number)
            return await self._in_thread(_har, archive, self._redaction)

        async def drop() -> None:
            await finish()

        return Recording(HAR, "application/json", finish, drop)

    async def start_trace(self, attempt_id: str, page: Page, *, snapshots: bool, screenshots: bool) -> Recording:
        """Begin a trace of this attempt, once no other attempt records one. Raises Playwright's Error.

        Raises ValueError if the attempt itself records one.
        """
        if self._tracing.locked():
            if self._traced == attempt_id:
                raise ValueError("This attempt records a trace already: end its `helpers.trace()` block first.")
            self._reporter.lines.write("info", "Waits until the trace of another job in this browser has ended")
        await self._tracing.acquire()
        self._traced = attempt_id
        calls = self._recorder.calls_of(attempt_id)
        guid = guid_of(page)
        try:
            self._reporter.retire("state", "a job recorded a trace, which Playwright cannot take back")
            await start_trace(self._context, snapshots=snapshots, screenshots=screenshots)
        except BaseException:
            self._tracing.release()
            raise

        async def finish() -> bytes:
            try:
                archive = await _taken(await stop_trace(self._context), TRACE)
            finally:
                self._tracing.release()
            return await self._in_thread(own_trace, archive, calls, guid, self._redaction)

        async def drop() -> None:
            try:
                await drop_trace(self._context)
            finally:
                self._tracing.release()

        return Recording(TRACE, "application/zip", finish, drop)

    async def start_failure_trace(self, attempt_id: str, page: Page) -> Recording | None:
        """As `start_trace`, without waiting. None: another attempt records one."""
        if self._tracing.locked():
            return None
        return await self.start_trace(attempt_id, page, snapshots=True, screenshots=True)

    async def _in_thread(self, work: Callable[..., bytes], *arguments: object) -> bytes:
        # Megabytes of JSON: not on the event loop, where other jobs wait.
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)


def _har(archive: bytes, redaction: Redaction) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive)) as whole, whole.open("har.har") as file:
        text = file.read(MOST_BYTES + 1)
    _check(len(text), HAR)
    return msgspec.json.encode(redaction.of(msgspec.json.decode(text)))


async def _taken(artifact: Artifact, kind: str) -> bytes:
    """The bytes of a file of the driver, which is deleted. Raises OutputLimit."""
    try:
        chunks: AsyncIterator[bytes] = up_to(MOST_BYTES, chunks_of(artifact))
        data = b"".join([chunk async for chunk in chunks])
    finally:
        await artifact.delete()
    _check(len(data), kind)
    return data


def _check(size: int, kind: str) -> None:
    if size > MOST_BYTES:
        raise OutputLimit(
            f"The {kind} has more than {MOST_BYTES} bytes: record a smaller part of the job.",
            used=size,
            allowed=MOST_BYTES,
            unit="bytes",
        )
