"""One attempt while it runs: its page, the call of its handler, and what the handler stores and logs."""

import asyncio
import contextvars
import decimal
import hashlib
import mimetypes
import re
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from msgspec import structs
from playwright.async_api import Download, Locator, Page
from playwright.async_api import TimeoutError as PageTimeout

from pageworker import Blocked, Context, DownloadedFile, Failed, Helpers, JobFile, ProfileState
from pageworker.once import OnceAct, OnceState
from pageworker.sink import Level
from pageworker_runner.attempts import attempt_result
from pageworker_runner.attempts.attempt_files import AttemptFiles
from pageworker_runner.attempts.attempt_result import AttemptResult
from pageworker_runner.attempts.blocker_check import BlockerChecks, exception_of
from pageworker_runner.attempts.once_requests import OnceRequests
from pageworker_runner.attempts.open_recordings import OpenRecordings
from pageworker_runner.attempts.profile_report import profile_report
from pageworker_runner.attempts.secret_requests import SecretRequests
from pageworker_runner.attempts.span_recorder import SpanRecorder
from pageworker_runner.attempts.step_recorder import StepRecorder
from pageworker_runner.errors import BrowserLost, OutputLimit, PageLost
from pageworker_runner.limits import LIMITS
from pageworker_runner.modules.catalog import ModuleVersion
from pageworker_runner.modules.entrypoint import ModuleEntrypoint
from pageworker_runner.pages import capture, downloads
from pageworker_runner.pages.attempt_values import AttemptValue
from pageworker_runner.pages.playwright_internals.client_errors import is_closed_error
from pageworker_runner.pages.playwright_internals.client_objects import unshared
from pageworker_runner.pages.playwright_internals.timeouts_and_bindings import use_timeout
from pageworker_runner.pages.recordings import Recordings
from pageworker_runner.pages.secret_fields import fill_secretly
from pageworker_runner.pages.slot import PageSlot
from pageworker_runner.reporting.error_text import describe, text_of
from pageworker_runner.reporting.reporter import Reporter
from pageworker_runner.task_ownership import CURRENT_ATTEMPT, Tasks, own_work
from pageworker_sandbox.memfd import seal
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.profile_report import ProfileReport

KIND = re.compile(r"[a-z][a-z0-9_.-]{0,62}")
MEDIA_TYPE = re.compile(r"[a-z0-9.+-]+/[A-Za-z0-9.+; =_-]{1,100}")
CALL_SHARE = 0.9
"""Of the attempt's time, what one call of Playwright may take by default. Its error tells what it waited for, which the
end of the attempt's time does not."""
CRASH_GRACE_SECONDS = 1.0
"""A call may fail on a crashed page before the event of the crash arrives."""


class RunningAttempt:
    """An attempt between its Run and its Free, and the `pageworker.Sink` of its helpers."""

    def __init__(
        self,
        run: m.Run,
        version: ModuleVersion,
        boot: m.Boot,
        reporter: Reporter,
        recordings: Recordings,
        test_ids: AttemptValue[str],
        blockers: BlockerChecks,
        files: AttemptFiles,
    ) -> None:
        self.run = run
        self.attempt_id = run.attempt_id
        self.version = version
        self.began = time.monotonic()
        """When its handler began; until then, when its Run arrived. Monotonic seconds."""
        self.began_epoch_ms = 0.0
        """The same, in milliseconds since the epoch."""
        self.context = Context(
            job_id=run.job_id,
            tenant_id=run.tenant_id,
            profile_id=run.profile_id,
            attempt=run.attempt,
            trace_id=run.trace_id,
            module=run.module,
            version=run.version,
            worker_id=boot.worker_id,
            runner_id=boot.runner_id,
            flags=MappingProxyType(run.flags),
            deadline=self.began + run.timeout_seconds,
        )
        self.forced_result: asyncio.Future[AttemptResult] = asyncio.get_running_loop().create_future()
        """How it ends if something outside its handler decides: a cancel, a crashed page, a lost browser."""
        self.profile: ProfileReport | None = None
        """What its module found last of the login of its profile."""
        self.slot: PageSlot | None = None
        self.handler_began = False
        self.default_timeout = boot.default_timeout_seconds
        self._send_queue = reporter.send_queue
        self._lines = reporter.lines
        self._recordings = recordings
        self._test_ids = test_ids
        self._blockers = blockers
        self._files = files
        self.open_recordings = OpenRecordings(self.artifact, self._warn)
        self._artifacts = 0
        self._bytes = 0
        self._closed = False
        self._sending = asyncio.Lock()
        self._offers = 0
        self._granted: asyncio.Future[None] | None = None
        self.spans = SpanRecorder() if run.spans else None
        """None: the job is not sampled."""
        self._secrets = SecretRequests(run.attempt_id, reporter.send_queue.put)
        self._once = OnceRequests(run.attempt_id, reporter.send_queue.put)
        self._steps = StepRecorder(run.attempt_id, reporter.send_queue.put, self._warn, self.began)

    def why_not_begin(self) -> AttemptResult | None:
        """The result of an attempt whose handler must not begin any more. None: it may begin."""
        if self.forced_result.done():
            return self.forced_result.result()
        before = self.run.begin_before
        if before is not None and time.clock_gettime(time.CLOCK_BOOTTIME) >= before:
            return attempt_result.stopped("expired")
        return None

    async def call_handler(
        self, slot: PageSlot, entrypoint: ModuleEntrypoint, payload: dict[str, Any], tasks: Tasks
    ) -> AttemptResult:
        """Call the module until its code returns, raises, or is stopped."""
        self.handler_began = True
        self.began = self._steps.began = time.monotonic()
        self.began_epoch_ms = time.time() * 1000
        seconds = min(self.default_timeout, CALL_SHARE * self.context.remaining_seconds())
        use_timeout(slot.page, self.default_timeout, seconds)
        task = tasks.spawn(
            _run_hooks(entrypoint, slot, payload, Helpers(slot.page, self), self.context), self.task_context()
        )
        first: set[asyncio.Future[Any]] = {task, self.forced_result}
        await asyncio.wait(first, timeout=self.context.remaining_seconds(), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=LIMITS.handler_grace_seconds)
            # A handler that suppresses its cancellation loses its page: whatever it still does there fails.
            slot.warm.handler_stuck = not task.done()
            if self.forced_result.done():
                return self.forced_result.result()
            return attempt_result.out_of_time(
                self.run.timeout_seconds, task.result().error if task.done() else None, self.version.label
            )
        ended = task.result()
        if ended.error is None:
            return attempt_result.returned(ended.value, self.version.label)
        if _may_be_a_crash(ended.error) and not self.forced_result.done():
            await asyncio.wait({self.forced_result}, timeout=CRASH_GRACE_SECONDS)
        if self.forced_result.done():
            return self.forced_result.result()
        result = attempt_result.raised(ended.error, self.version.label, slot.page.url)
        if isinstance(ended.error, PageTimeout) and self._time_used_up():
            return structs.replace(result, outcome="timed_out")
        return result

    def _time_used_up(self) -> bool:
        """Whether a call that waited by default for its share of the time has used that up."""
        return self.context.remaining_seconds() <= (1 - CALL_SHARE) * self.run.timeout_seconds

    def task_context(self) -> contextvars.Context:
        """What the module's import has set, as a copy of the attempt's own."""
        context = self.version.context.copy()
        context.run(CURRENT_ATTEMPT.set, self.attempt_id)
        # The variable holds an object that can be changed in place.
        context.run(lambda: decimal.setcontext(decimal.getcontext().copy()))
        return context

    async def artifact(self, kind: str, data: bytes, content_type: str) -> None:
        """See pageworker.Sink. Returns once the supervisor has accepted the bytes and they have been sent."""
        if self._closed:
            raise ValueError("The attempt has ended: an artifact can be stored only while its handler runs.")
        _check_limit("artifacts", self._artifacts + 1, LIMITS.artifacts, "An attempt may store at most {} artifacts.")
        _check_limit("bytes", len(data), m.MAX_ARTIFACT_BYTES, "An artifact may have at most {} bytes.")
        _check_limit(
            "bytes",
            self._bytes + len(data),
            LIMITS.artifacts_bytes,
            "All artifacts of an attempt together may have at most {} bytes.",
        )
        if not KIND.fullmatch(kind):
            raise ValueError(
                f"{kind!r} is not a valid kind of artifact: use 1 to 63 lower-case letters, digits, `_`, `.` and `-`, "
                "a letter first, such as `invoice`."
            )
        if not MEDIA_TYPE.fullmatch(content_type):
            raise ValueError(
                f"{content_type!r} is not a valid content type: use one such as `text/csv; charset=utf-8`."
            )
        self._artifacts += 1
        self._bytes += len(data)
        await self.send(kind, data, content_type)

    async def download(self, kind: str, download: Download) -> DownloadedFile:
        """See pageworker.Sink. Returns as `artifact`. Raises Failed."""
        if failure := await download.failure():
            raise Failed(f"The download of {download.url} failed: {failure}.", type="download", retryable=True)
        data = b"".join([chunk async for chunk in downloads.read(download, m.MAX_ARTIFACT_BYTES)])
        name = downloads.name_of(download)
        content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        await self.artifact(kind, data, content_type)
        await download.delete()
        return DownloadedFile(
            name=name,
            url=download.url,
            content_type=content_type,
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )

    async def file(self, name: str) -> JobFile:
        """See pageworker.Sink. Raises Failed, ValueError."""
        return self._files.read(name)

    def har(self, kind: str, page: Page, *, bodies: bool, url: str | None) -> AbstractAsyncContextManager[None]:
        """See pageworker.Sink."""
        return self.open_recordings.during(
            kind, lambda: self._recordings.start_har(unshared(page), bodies=bodies, url=url)
        )

    def trace(self, kind: str, page: Page, *, snapshots: bool, screenshots: bool) -> AbstractAsyncContextManager[None]:
        """See pageworker.Sink."""
        return self.open_recordings.during(
            kind,
            lambda: self._recordings.start_trace(self.attempt_id, page, snapshots=snapshots, screenshots=screenshots),
        )

    def span(self, name: str, attributes: Mapping[str, object]) -> AbstractContextManager[None]:
        """See pageworker.Sink."""
        return nullcontext() if self.spans is None else self.spans.span(name, attributes)

    def step(self, text: str, fields: Mapping[str, object]) -> AbstractContextManager[None]:
        """See pageworker.Sink."""
        return self._steps.step(text, fields)

    def set_test_id_attribute(self, name: str) -> None:
        """See pageworker.Sink."""
        self._test_ids.begin(self.attempt_id, name)

    async def detect_blocker(self) -> Blocked | None:
        """See pageworker.Sink."""
        if self.slot is None:
            return None
        found = await self._blockers.find(self.slot.warm, self.run.blocker_threshold)
        return None if found is None else exception_of(found)

    def profile_state(self, state: ProfileState, evidence: Mapping[str, object]) -> None:
        """See pageworker.Sink. Raises ValueError."""
        report = profile_report(state, evidence, self.slot.page.url if self.slot is not None else "about:blank")
        if self.context.profile_id is not None:
            self.profile = report

    async def secret(self, name: str) -> str:
        """See pageworker.Sink. Raises Failed, ValueError."""
        return await self._secrets.ask(name, "value")

    async def totp(self, name: str) -> str:
        """See pageworker.Sink. Raises Failed, ValueError."""
        return await self._secrets.ask(name, "totp")

    async def once(self, key: str, act: OnceAct, value: object) -> tuple[OnceState, object]:
        """See pageworker.Sink. Raises Failed, ValueError."""
        return await self._once.ask(key, act, value)

    async def fill_secret(self, locator: Locator, name: str) -> None:
        """See pageworker.Sink. Raises Failed, ValueError, Playwright's errors."""
        await fill_secretly(locator, name, await self._secrets.ask(name, "value"))

    async def send(
        self, kind: str, data: bytes, content_type: str, page_url: str | None = None, page_status: int | None = None
    ) -> None:
        """Offer checked bytes, and hand them over once the offer is granted. `page_url` and `page_status`: of the page
        that they show."""
        async with self._sending:
            self._offers += 1
            self._granted = asyncio.get_running_loop().create_future()
            self._send_queue.put(m.Offer(attempt_id=self.attempt_id, number=self._offers, bytes=len(data)))
            await self._granted
            message = m.ArtifactData(
                attempt_id=self.attempt_id,
                kind=kind,
                content_type=content_type,
                page_url=page_url,
                page_status=page_status,
            )
            self._send_queue.put(message, [seal(data, kind)])
            await self._send_queue.until_sent()

    async def screenshot(self, page: Page, full_page: bool) -> bytes:
        """See pageworker.Sink. Like Playwright's, but a web font that never arrives does not cost the attempt."""
        seconds = min(LIMITS.screenshot_seconds, self.context.remaining_seconds() / 3)
        try:
            return await page.screenshot(type="png", full_page=full_page, timeout=max(1.0, seconds * 1000))
        except PageTimeout as error:
            picture = await self._picture(page, full_page, seconds)
            if picture is None:
                raise PageTimeout(
                    "helpers.screenshot: the page draws nothing. A style sheet has not arrived, or its script never "
                    "ends. `await page.evaluate('window.stop()')` ends the wait for style sheets."
                ) from error
        self.log("warning", f"The screenshot was taken after {seconds:.1f} s without some of the page's web fonts.", {})
        return picture

    async def _picture(self, page: Page, full_page: bool, seconds: float) -> bytes | None:
        with own_work(), suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                if self.slot is not None and page is self.slot.page:
                    return await capture.screenshot(self.slot.warm.devtools, "png", full_page=full_page)
                # A popup, which closes with this attempt.
                devtools = await page.context.new_cdp_session(page)
                return await capture.screenshot(devtools, "png", full_page=full_page)
        return None

    def granted(self, number: int) -> None:
        """The supervisor accepts offer `number`. A grant of an offer that was given up is ignored."""
        if number == self._offers and self._granted is not None and not self._granted.done():
            self._granted.set_result(None)

    def answered(self, answer: m.SecretAnswer | m.OnceAnswer) -> None:
        """The supervisor answers a request of this attempt."""
        if isinstance(answer, m.OnceAnswer):
            self._once.answered(answer)
        else:
            self._secrets.answered(answer)

    def listener_failed(self, error: BaseException) -> None:
        """Log an error of a listener or a route handler. It is handled outside of the attempt's tasks."""
        token = CURRENT_ATTEMPT.set(self.attempt_id)
        self._lines.write("error", f"A listener or route handler raised {describe(error, self.version.label)}")
        CURRENT_ATTEMPT.reset(token)

    def log(self, level: Level, message: str, fields: Mapping[str, object]) -> None:
        """See pageworker.Sink."""
        self._lines.write(level, str(message), fields)

    def _warn(self, text: str) -> None:
        self.log("warning", text, {})

    def close(self) -> None:
        """The result is about to be sent: a task that the module left running can store nothing more."""
        self._closed = True
        self._steps.close()
        self._secrets.close()
        self._once.close()
        self._files.close()
        if self._granted is not None and not self._granted.done():
            self._granted.set_exception(ValueError("The attempt ended before its artifact was accepted."))


def _check_limit(unit: str, used: int, allowed: int, text: str) -> None:
    if used > allowed:
        raise OutputLimit(f"{text.format(allowed)} This would make {used}.", used=used, allowed=allowed, unit=unit)


@dataclass(frozen=True)
class HandlerReturn:
    """What the module's code returned, or what it raised."""

    value: object = None
    error: BaseException | None = None


async def _run_hooks(
    entrypoint: ModuleEntrypoint, slot: PageSlot, payload: dict[str, Any], helpers: Helpers, context: Context
) -> HandlerReturn:
    try:
        if entrypoint.before_job is not None:
            await entrypoint.before_job(slot.page, payload, helpers, context)
        result = await entrypoint.handler(slot.page, payload, helpers, context)
        if entrypoint.after_job is not None:
            await entrypoint.after_job(slot.page, result, helpers, context)
    except BaseException as error:  # noqa: BLE001 - foreign code: whatever it raises, sys.exit() too, is its result
        return HandlerReturn(error=error)
    return HandlerReturn(value=result)


def page_crashed() -> AttemptResult:
    """The result of an attempt whose page crashed."""
    return attempt_result.raised(PageLost("The page's renderer process crashed."), "")


def browser_lost() -> AttemptResult:
    """The result of an attempt whose browser ended."""
    return attempt_result.raised(BrowserLost("The browser ended while the job was running."), "")


def _may_be_a_crash(error: BaseException) -> bool:
    """A navigation that crashes its renderer fails as aborted first."""
    return is_closed_error(error) or "net::ERR_ABORTED" in text_of(error)
