"""Runs attempts. One attempt is: module, page, handler call, failure artifacts, Done, recycling, Free."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from playwright.async_api import Page

from pageworker_runner.attempts import attempt_result, login_probe, navigation_spans
from pageworker_runner.attempts.attempt_files import WaitingFiles
from pageworker_runner.attempts.attempt_result import AttemptResult
from pageworker_runner.attempts.blocker_check import BlockerChecks
from pageworker_runner.attempts.browser_lines import BrowserLines
from pageworker_runner.attempts.failure_artifacts import FailureArtifacts
from pageworker_runner.attempts.running_attempt import RunningAttempt, browser_lost
from pageworker_runner.errors import ModuleBroken, PageLost
from pageworker_runner.interpreter.state import InterpreterState
from pageworker_runner.limits import LIMITS
from pageworker_runner.modules.catalog import Catalog
from pageworker_runner.modules.entrypoint import ModuleEntrypoint
from pageworker_runner.pages.attempt_values import attributes_of_test_ids, expect_timeouts
from pageworker_runner.pages.failure_translator import FailureTranslator
from pageworker_runner.pages.playwright_internals.client_objects import guid_of
from pageworker_runner.pages.pool import PagePool
from pageworker_runner.pages.recent_requests import RecentRequests
from pageworker_runner.pages.redaction import redaction
from pageworker_runner.reporting.error_text import calling_line, describe
from pageworker_runner.reporting.reporter import Reporter
from pageworker_runner.task_ownership import CURRENT_ATTEMPT, OWN_WORK, Tasks, attempt_of_error, own_work
from pageworker_runner.thread_ownership import Threads
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.profile_report import ProfileReport

MAX_DEPRECATED = 10
"""Warnings about deprecated names, per version of a module. `workerctl module lint` lists all."""
STOPPED = frozenset({"timed_out", "cancelled"})
"""Outcomes of attempts that did not end by themselves. The supervisor kills a runner that reports them late."""


class AttemptExecutor:
    """All attempts of this runner."""

    def __init__(
        self,
        boot: m.Boot,
        catalog: Catalog,
        pool: PagePool,
        failures: FailureTranslator,
        reporter: Reporter,
        tasks: Tasks,
        threads: Threads,
        interpreter: InterpreterState,
        blocked_requests: Callable[[str], dict[m.BlockedKind, int]],
    ) -> None:
        """`blocked_requests` is called once per attempt, at its end, for the number of requests of each kind."""
        self._boot = boot
        self._catalog = catalog
        self._pool = pool
        self._failures = failures
        self._reporter = reporter
        self._tasks = tasks
        self._threads = threads
        self._interpreter = interpreter
        self._blocked_requests = blocked_requests
        self._attempts: dict[str, RunningAttempt] = {}
        self._ended = asyncio.Condition()
        self._browser_lost = False
        self._expect_timeouts = expect_timeouts()
        self._test_ids = attributes_of_test_ids()
        self.browser_lines = BrowserLines(boot.browser_log, self._owner_of, reporter.lines.write_of_page)
        failures.on_navigation = self._on_navigation
        self._blockers = BlockerChecks(boot.blocker_rules, failures.documents)
        hidden = redaction(boot.options)
        self._failure_artifacts = FailureArtifacts(failures.documents, failures.reports, hidden)
        self.requests = RecentRequests()
        """Of the attempts whose modules ask for them."""
        self.files = WaitingFiles()
        """Of the attempt whose Run comes next."""

    def start(self, run: m.Run) -> None:
        """Start an attempt. Its module version is claimed before the next message is read."""
        version = self._catalog.hold(run.module, run.version)
        attempt = self._attempts[run.attempt_id] = RunningAttempt(
            *(run, version, self._boot, self._reporter, self._pool.recordings, self._test_ids, self._blockers),
            self.files.take(run.attempt_id),
        )
        self._tasks.spawn(self._execute(attempt))

    def force_result(self, attempt_id: str, result: AttemptResult) -> None:
        """End an attempt from outside. An attempt that has ended, or has a forced result already, keeps its own."""
        attempt = self._attempts.get(attempt_id)
        if attempt is not None and not attempt.forced_result.done():
            attempt.forced_result.set_result(result)

    def grant(self, attempt_id: str, number: int) -> None:
        """The supervisor accepts the artifact that this attempt offered, if the attempt still runs."""
        attempt = self._attempts.get(attempt_id)
        if attempt is not None:
            attempt.granted(number)

    def answer(self, answer: m.SecretAnswer | m.OnceAnswer) -> None:
        """The supervisor answers a request of this attempt, if the attempt still runs."""
        attempt = self._attempts.get(answer.attempt_id)
        if attempt is not None:
            attempt.answered(answer)

    def listener_failed(self, error: BaseException) -> None:
        """A listener or a route handler raised `error`: its attempt's next call raises it, or its end tells it."""
        attempt = self._attempts.get(attempt_of_error(error) or "")
        if attempt is None:
            self._reporter.warn(f"a listener that belongs to no running attempt raised {describe(error, '')}")
            return
        attempt.listener_failed(error)
        self._pool.recorder.raise_at_next_call(attempt.attempt_id, error)

    def warn(self, text: str) -> None:
        """Log a warning of the attempt whose code runs now, with the line of its module that runs."""
        attempt = self._attempts.get(CURRENT_ATTEMPT.get() or "")
        if attempt is not None:
            line = calling_line(attempt.version.label)
            attempt.log("warning", f"{text} ({line})" if line else text, {})

    async def on_browser_lost(self) -> None:
        """Chromium or the driver has ended, and so do all attempts. Returns when their results have been sent."""
        self._browser_lost = True
        for attempt_id in self._attempts:
            self.force_result(attempt_id, browser_lost())
        async with self._ended:
            await self._ended.wait_for(lambda: not self._attempts)

    def _owner_of(self, page: Page) -> str | None:
        """The attempt that has this page now, if it is certainly that one."""
        owners = [each for each in self._attempts if self._pool.belongs_to(guid_of(page), each)]
        return owners[0] if len(owners) == 1 else None

    def _on_navigation(self, method: str, params: dict[str, Any], reply: asyncio.Future[Any]) -> None:
        attempt = self._attempts.get(CURRENT_ATTEMPT.get() or "")
        if attempt is not None and attempt.spans is not None and not OWN_WORK.get():
            navigation_spans.follow(attempt.spans, method, params, reply)

    async def _execute(self, attempt: RunningAttempt) -> None:
        attempt_id = attempt.attempt_id
        CURRENT_ATTEMPT.set(attempt_id)
        self._tasks.begin(attempt_id)
        self._threads.begin(attempt_id)
        self._reporter.lines.begin(attempt_id)
        result = await self._result_of(attempt)
        # From here on the work is the runner's own, though it is done in the attempt's task.
        OWN_WORK.set(True)
        self._interpreter.unpatch()
        if attempt.slot is not None:
            attempt.slot.warm.public.restore()
        if result.outcome not in STOPPED and self._threads.any_left(attempt_id):
            # Before the result: no job may start beside threads that do not end. A stopped attempt has no time left.
            await self._end_code(attempt)
        if attempt.slot is not None and attempt.handler_began and not self._shows_nothing(attempt.slot.page):
            run = attempt.run
            result = await self._blockers.checked(result, attempt.slot.warm, run.blocker_check, run.blocker_threshold)
        await self._keep_artifacts(attempt, result)
        attempt.close()
        self.browser_lines.end(attempt_id)
        self._reporter.end(attempt_id)
        if attempt.spans is not None and attempt.handler_began:
            self._reporter.send_queue.put(attempt.spans.message(attempt_id, attempt.began))
        self._reporter.send_queue.put(
            m.Done(
                attempt_id=attempt_id,
                outcome=result.outcome,
                data=result.data,
                failure=result.failure,
                obstacle=result.obstacle,
                ran_seconds=time.monotonic() - attempt.began,
                blocked=self._blocked_requests(attempt_id),
                profile=attempt.profile,
            )
        )
        found = await self._probe(attempt, result)
        if attempt.slot is not None:
            self._pool.finish(attempt.slot)
        # The result leaves before the page is recycled, so recycling adds nothing to a job's latency.
        await self._reporter.send_queue.until_sent()
        async with self._ended:
            del self._attempts[attempt_id]
            self._ended.notify_all()
        if not self._browser_lost:
            await self._recycle(attempt)
            self._catalog.release(attempt.version)
            self._reporter.send_queue.put(m.Free(attempt_id=attempt_id, profile=found))

    async def _probe(self, attempt: RunningAttempt, result: AttemptResult) -> ProfileReport | None:
        """The result has left: look on the page that the handler has left, if the supervisor wants it."""
        slot, entrypoint = attempt.slot, attempt.version.loaded
        if slot is None or entrypoint is None or self._browser_lost or not login_probe.wanted(attempt, result):
            return None
        if entrypoint.login_probe is None:
            self._reporter.warn(f"{attempt.version.label} has no `login_probe`, which module.toml names")
            return None
        return await login_probe.run(attempt, slot, entrypoint.login_probe, self._tasks, self._reporter.warn)

    async def _result_of(self, attempt: RunningAttempt) -> AttemptResult:
        run = attempt.run
        try:
            entrypoint = self._load(attempt)
            payload = msgspec.json.decode(run.payload, type=dict)
            attempt.slot = slot = await self._pool.reserve(attempt.attempt_id)
            # After the reservation: from now on, no recycled page sets the interpreter back.
            self._interpreter.begin(attempt.version.settings)
            if (result := attempt.why_not_begin()) is not None:
                return result
            self._reporter.send_queue.put(m.Accepted(attempt_id=attempt.attempt_id, page=slot.index))
            self._pool.start(slot)
            self._failures.documents.begin(slot.page)
            if attempt.version.asks_for_requests:
                with own_work():
                    self.requests.begin(attempt.attempt_id, slot.page)
            if run.trace:
                start = partial(self._pool.recordings.start_failure_trace, attempt.attempt_id, slot.page)
                await attempt.open_recordings.record_failure("trace", start)
            result = await attempt.call_handler(slot, entrypoint, payload, self._tasks)
            error = self._pool.recorder.take_listener_error(attempt.attempt_id)
            if error is not None and result.outcome == "succeeded":
                # In plain Playwright, the `browser.close()` at the end of the script would raise it.
                return attempt_result.raised(error, attempt.version.label, slot.page.url)
            return result
        except (ModuleBroken, PageLost) as error:
            return attempt_result.raised(error, attempt.version.label)
        except msgspec.DecodeError as error:
            return attempt_result.failed("invalid_payload", f"The payload is not a JSON object: {error}")

    def _load(self, attempt: RunningAttempt) -> ModuleEntrypoint:
        """The attempt's module. What its import has set counts for all attempts. Raises ModuleBroken."""
        version = attempt.version
        imported = version.loaded is not None
        before = [] if imported else self._interpreter.changes()
        entrypoint = self._catalog.load(version)
        if not imported:
            version.settings = self._interpreter.imported(before)
            version.expect_timeout = self._expect_timeouts.get(attempt.attempt_id)
            for text in version.deprecated[:MAX_DEPRECATED]:
                attempt.log("warning", text, {})
        self._expect_timeouts.begin(attempt.attempt_id, version.expect_timeout)
        return entrypoint

    async def _keep_artifacts(self, attempt: RunningAttempt, result: AttemptResult) -> None:
        """Store the failure artifacts, and recordings whose block the handler did not leave."""
        slot = attempt.slot
        if slot is None or not attempt.handler_began or self._browser_lost:
            return
        if result.outcome == "succeeded":
            await attempt.open_recordings.succeeded()
        stopped = result.outcome in STOPPED
        seconds = LIMITS.stopped_failure_artifacts_seconds if stopped else LIMITS.failure_artifacts_seconds
        kept = [attempt.open_recordings.keep_all(seconds + LIMITS.handover_seconds)]
        if self._boot.failure_artifacts and result.outcome != "succeeded":
            sight = not self._shows_nothing(slot.page)
            kept.append(self._failure_artifacts.keep(slot.warm, attempt, seconds, sight=sight))
        await asyncio.gather(*kept)

    def _shows_nothing(self, page: Page) -> bool:
        """Whether there is nothing of the site to look at."""
        return self._browser_lost or self._failures.shows_error_page(page)

    async def _recycle(self, attempt: RunningAttempt) -> None:
        """End the attempt's code and clean its page. If either fails, the runner asks to be retired."""
        await self._end_code(attempt)
        self._expect_timeouts.end(attempt.attempt_id)
        self._test_ids.end(attempt.attempt_id)
        self.requests.end(attempt.attempt_id)
        if attempt.slot is not None:
            await self._pool.recycle(attempt.slot)

    async def _end_code(self, attempt: RunningAttempt) -> None:
        """End what the attempt has started, tasks first: they start threads. A second call finds nothing."""
        label = attempt.version.label
        if not await self._tasks.end(attempt.attempt_id, LIMITS.handler_grace_seconds):
            self._reporter.retire("tasks", f"{label} left a task that cannot be cancelled")
        if left := await self._threads.end(attempt.attempt_id, LIMITS.handler_grace_seconds):
            self._reporter.retire("threads", f"{label} left {len(left)} threads running: {', '.join(left[:3])}")
