"""Everything that happens between a Run and its Free: module, page, handler, remains, Done, recycling."""

import asyncio
import time

import msgspec

from pageworker import Context, Helpers
from pageworker_runner import attempt_result, failure_artifacts, handler
from pageworker_runner.attempt_result import AttemptResult
from pageworker_runner.errors import ModuleBroken, PageLost
from pageworker_runner.limits import LIMITS
from pageworker_runner.modules.catalog import Catalog, ModuleVersion
from pageworker_runner.modules.entrypoint import ModuleEntrypoint
from pageworker_runner.pages.pool import PagePool
from pageworker_runner.pages.slot import PageSlot
from pageworker_runner.reporting.artifact_sink import AttemptSink
from pageworker_runner.reporting.reporter import Reporter
from pageworker_runner.task_ownership import ATTEMPT, OWN, Tasks
from pageworker_sandbox.wire import messages as m


class RunningAttempt:
    """One attempt: what was asked, what may end it from outside, which page it has."""

    def __init__(self, run: m.Run, version: ModuleVersion) -> None:
        self.run = run
        self.version = version
        self.label = f"{run.module}@{run.version}"
        self.deadline = time.monotonic() + run.timeout_seconds
        self.forced_result: handler.ForcedResult = asyncio.get_running_loop().create_future()
        self.slot: PageSlot | None = None
        self.sink: AttemptSink | None = None
        self.began = time.monotonic()
        self.handling = False
        """The handler has begun."""

    def too_late(self) -> AttemptResult | None:
        """Why the handler must not begin any more, if so."""
        if self.forced_result.done():
            return self.forced_result.result()
        before = self.run.begin_before
        if before is not None and time.clock_gettime(time.CLOCK_BOOTTIME) >= before:
            return attempt_result.cut("expired")
        return None


class Attempts:
    """All attempts of this runner."""

    def __init__(self, boot: m.Boot, catalog: Catalog, reporter: Reporter, tasks: Tasks) -> None:
        self._boot = boot
        self.catalog = catalog
        self._reporter = reporter
        self._tasks = tasks
        self._attempts: dict[str, RunningAttempt] = {}
        self._ended = asyncio.Condition()
        self._browser_lost = False

    def start(self, run: m.Run, pool: PagePool) -> None:
        """A Run came."""
        attempt = RunningAttempt(run, self.catalog.claim(run.module, run.version))
        self._attempts[run.attempt_id] = attempt
        self._tasks.spawn(self._attempt(attempt, pool))

    def decide(self, attempt_id: str, fate: AttemptResult) -> None:
        """End an attempt from outside. One that has ended already is left alone."""
        attempt = self._attempts.get(attempt_id)
        if attempt is not None and not attempt.forced_result.done():
            attempt.forced_result.set_result(fate)

    def grant(self, attempt_id: str, number: int) -> None:
        """The supervisor has room for the artifact that this attempt offered, if it still runs."""
        attempt = self._attempts.get(attempt_id)
        if attempt is not None and attempt.sink is not None:
            attempt.sink.granted(number)

    async def lose_browser(self) -> None:
        """Chromium or the driver is gone, and so are all attempts. Returns when their results have left."""
        self._browser_lost = True
        for attempt_id in self._attempts:
            self.decide(attempt_id, handler.browser_lost())
        async with self._ended:
            await self._ended.wait_for(lambda: not self._attempts)

    async def _attempt(self, attempt: RunningAttempt, pool: PagePool) -> None:
        attempt_id = attempt.run.attempt_id
        ATTEMPT.set(attempt_id)
        self._tasks.begin(attempt_id)
        self._reporter.lines.begin(attempt_id)
        attempt.sink = sink = AttemptSink(attempt_id, self._reporter.outbox, self._reporter.lines)
        end = await self._run(attempt, pool, sink)
        # From here on the work is the runner's own, though in the attempt's task.
        OWN.set(True)
        if end.outcome != "succeeded" and attempt.handling and attempt.slot is not None and self._keeps_remains():
            stopped = end.outcome in ("timed_out", "cancelled")
            seconds = LIMITS.stopped_failure_artifacts_seconds if stopped else LIMITS.failure_artifacts_seconds
            await failure_artifacts.keep(attempt.slot.page, sink, seconds)
        sink.close()
        self._reporter.end(attempt_id)
        self._reporter.outbox.put(
            m.Done(
                attempt_id=attempt_id,
                outcome=end.outcome,
                data=end.data,
                failure=end.failure,
                obstacle=end.obstacle,
                ran_seconds=time.monotonic() - attempt.began,
            )
        )
        if attempt.slot is not None:
            pool.finish(attempt.slot)
        # Recycling is in no job's latency.
        await self._reporter.outbox.left()
        async with self._ended:
            del self._attempts[attempt_id]
            self._ended.notify_all()
        if not self._browser_lost:
            await self._give_back(attempt, pool)
            self.catalog.release(attempt.version)
            self._reporter.outbox.put(m.Free(attempt_id=attempt_id))

    async def _run(self, attempt: RunningAttempt, pool: PagePool, sink: AttemptSink) -> AttemptResult:
        run = attempt.run
        try:
            entry = self.catalog.load(attempt.version)
            payload = msgspec.json.decode(run.payload, type=dict)
            attempt.slot = slot = await pool.reserve(run.attempt_id)
            if (end := attempt.too_late()) is not None:
                return end
            attempt.handling = True
            self._reporter.outbox.put(m.Accepted(attempt_id=run.attempt_id, page=slot.index))
            pool.start(slot)
            attempt.began = time.monotonic()
            work = self._handler_call(attempt, entry, payload, slot, pool, sink)
            end, let_go = await handler.handle(work, attempt.forced_result, self._tasks)
        except (ModuleBroken, PageLost) as error:
            return attempt_result.raised(error, attempt.label)
        except msgspec.DecodeError as error:
            return attempt_result.failed("invalid_payload", f"the payload is no object: {error}")
        # A handler that swallowed its cancellation loses its page all the same: what it still does there fails.
        slot.warm.handler_stuck = not let_go
        return end

    def _handler_call(
        self,
        attempt: RunningAttempt,
        entry: ModuleEntrypoint,
        payload: dict[str, object],
        slot: PageSlot,
        pool: PagePool,
        sink: AttemptSink,
    ) -> handler.HandlerCall:
        run, book = attempt.run, pool.tap.page(slot.warm.guid)
        return handler.HandlerCall(
            entry=entry,
            label=attempt.label,
            page=slot.page,
            payload=payload,
            helpers=Helpers(slot.page, sink),
            context=Context(
                job_id=run.job_id,
                tenant_id=run.tenant_id,
                profile_id=run.profile_id,
                attempt=run.attempt,
                trace_id=run.trace_id,
                module=run.module,
                version=run.version,
                worker_id=self._boot.worker_id,
                runner_id=self._boot.runner_id,
                deadline=attempt.deadline,
            ),
            refusal=lambda: book.refusal,
        )

    async def _give_back(self, attempt: RunningAttempt, pool: PagePool) -> None:
        """Nothing of the attempt runs on, and its page is clean again, or is lost and Retire has been said."""
        if not await self._tasks.end(attempt.run.attempt_id, LIMITS.handler_grace_seconds):
            self._reporter.retire(f"{attempt.label} left a task that can not be cancelled")
        if attempt.slot is not None:
            await pool.recycle(attempt.slot)

    def _keeps_remains(self) -> bool:
        return self._boot.failure_artifacts and not self._browser_lost
