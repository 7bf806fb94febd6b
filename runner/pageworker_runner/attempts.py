"""Everything that happens between a Run and its Free: module, page, handler, remains, Done, recycling."""

import asyncio
import time

import msgspec

from pageworker import Context, Helpers
from pageworker_runner import handling, remains, verdict
from pageworker_runner.belonging import ATTEMPT, OWN, Tasks
from pageworker_runner.catalog import Catalog
from pageworker_runner.entry import Entry
from pageworker_runner.errors import ModuleBroken, PageLost
from pageworker_runner.limits import LIMITS
from pageworker_runner.pool import Pool
from pageworker_runner.reporter import Reporter
from pageworker_runner.sink import AttemptSink
from pageworker_runner.slot import Slot
from pageworker_runner.verdict import Verdict
from pageworker_sandbox.wire import messages as m


class Attempt:
    """One attempt: what was asked, what may end it from outside, which page it has."""

    def __init__(self, run: m.Run) -> None:
        self.run = run
        self.label = f"{run.module}@{run.version}"
        self.deadline = time.monotonic() + run.timeout_seconds
        self.fate: handling.Fate = asyncio.get_running_loop().create_future()
        self.slot: Slot | None = None
        self.sink: AttemptSink | None = None
        self.began = time.monotonic()
        self.handling = False
        """The handler has begun."""

    def too_late(self) -> Verdict | None:
        """Why the handler must not begin any more, if so."""
        if self.fate.done():
            return self.fate.result()
        before = self.run.begin_before
        if before is not None and time.clock_gettime(time.CLOCK_BOOTTIME) >= before:
            return verdict.cut("expired")
        return None


class Attempts:
    """All attempts of this runner."""

    def __init__(self, boot: m.Boot, catalog: Catalog, reporter: Reporter, tasks: Tasks) -> None:
        self._boot = boot
        self.catalog = catalog
        self._reporter = reporter
        self._tasks = tasks
        self._attempts: dict[str, Attempt] = {}
        self._ended = asyncio.Condition()
        self._browser_lost = False

    def start(self, run: m.Run, pool: Pool) -> None:
        """A Run came."""
        attempt = Attempt(run)
        self._attempts[run.attempt_id] = attempt
        self._tasks.spawn(self._attempt(attempt, pool))

    def decide(self, attempt_id: str, fate: Verdict) -> None:
        """End an attempt from outside. One that has ended already is left alone."""
        attempt = self._attempts.get(attempt_id)
        if attempt is not None and not attempt.fate.done():
            attempt.fate.set_result(fate)

    def grant(self, attempt_id: str, number: int) -> None:
        """The supervisor has room for the artifact that this attempt offered, if it still runs."""
        attempt = self._attempts.get(attempt_id)
        if attempt is not None and attempt.sink is not None:
            attempt.sink.granted(number)

    async def lose_browser(self) -> None:
        """Chromium or the driver is gone, and so are all attempts. Returns when their results have left."""
        self._browser_lost = True
        for attempt_id in self._attempts:
            self.decide(attempt_id, handling.browser_lost())
        async with self._ended:
            await self._ended.wait_for(lambda: not self._attempts)

    async def _attempt(self, attempt: Attempt, pool: Pool) -> None:
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
            seconds = LIMITS.evidence_seconds if stopped else LIMITS.calm_evidence_seconds
            await remains.keep(attempt.slot.page, sink, seconds)
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
            self._reporter.outbox.put(m.Free(attempt_id=attempt_id))

    async def _run(self, attempt: Attempt, pool: Pool, sink: AttemptSink) -> Verdict:
        run = attempt.run
        try:
            with self.catalog.use(run.module, run.version) as entry:
                payload = msgspec.json.decode(run.payload, type=dict)
                attempt.slot = slot = await pool.reserve(run.attempt_id)
                if (end := attempt.too_late()) is not None:
                    return end
                attempt.handling = True
                self._reporter.outbox.put(m.Accepted(attempt_id=run.attempt_id, page=slot.index))
                pool.start(slot)
                attempt.began = time.monotonic()
                work = self._assignment(attempt, entry, payload, slot, pool, sink)
                end, let_go = await handling.handle(work, attempt.fate, self._tasks)
        except (ModuleBroken, PageLost) as error:
            return verdict.raised(error, attempt.label)
        except msgspec.DecodeError as error:
            return verdict.failed("invalid_payload", f"the payload is no object: {error}")
        # A handler that swallowed its cancellation loses its page all the same: what it still does there fails.
        slot.warm.taken = not let_go
        return end

    def _assignment(
        self,
        attempt: Attempt,
        entry: Entry,
        payload: dict[str, object],
        slot: Slot,
        pool: Pool,
        sink: AttemptSink,
    ) -> handling.Assignment:
        run, book = attempt.run, pool.tap.page(slot.warm.guid)
        return handling.Assignment(
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

    async def _give_back(self, attempt: Attempt, pool: Pool) -> None:
        """Nothing of the attempt runs on, and its page is clean again, or is lost and Retire has been said."""
        if not await self._tasks.end(attempt.run.attempt_id, LIMITS.handler_grace_seconds):
            self._reporter.retire(f"{attempt.label} left a task that can not be cancelled")
        if attempt.slot is not None:
            await pool.recycle(attempt.slot)

    def _keeps_remains(self) -> bool:
        return self._boot.failure_artifacts and not self._browser_lost
