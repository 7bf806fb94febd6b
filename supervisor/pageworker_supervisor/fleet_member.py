"""A worker's part in the fleet: it reports itself, and follows the stored drain that is for it.

It reports every REPORT_SECONDS, when its state changes, and when Redis tells it that a stored drain has changed. Each
reply has the stored drain that is for this worker, if there is one. The first report is sent before the worker claims
a job, so a worker that starts while its drain is stored starts drained.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import NoReturn, Protocol

from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.admin.errors import WorkerRefused
from pageworker_supervisor.audit.decisions import Decisions
from pageworker_supervisor.contract.worker_report import WorkerReport
from pageworker_supervisor.queue.fleet_workers import FleetWorkers, Reported, StoredDrain
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.redis_client.errors import RedisClientError
from pageworker_supervisor.telemetry import log

REPORT_SECONDS = 10.0
LOOK_SECONDS = 1.0
"""Between two looks at the worker's own state. Some changes of it cause no event, such as a full disk."""
LEAVE_SECONDS = 1.0


class FollowsDrains(Protocol):
    """What a worker does about stored drains."""

    async def follow_drain(self, seconds: float, *, cancel: bool) -> None:
        """Drain, to the end. `cancel`: what runs after these seconds is cancelled, not requeued."""

    async def end_stored_drain(self) -> None:
        """No stored drain is for this worker any more. It may stay drained for another cause."""


class FleetMember:
    """Reports one worker."""

    def __init__(
        self,
        workers: FleetWorkers,
        availability: Availability,
        report: Callable[[], WorkerReport],
        worker: FollowsDrains,
        decisions: Decisions,
    ) -> None:
        self._workers = workers
        self._availability = availability
        self._report = report
        self._worker = worker
        self._decisions = decisions
        self._due = asyncio.Event()
        self._told: tuple[object, ...] = ()
        """What the last report said that must not wait for the next one in turn."""
        self.drain: StoredDrain | None = None
        """The stored drain that this worker follows."""
        self._draining: asyncio.Task[None] | None = None
        self._sending = asyncio.Lock()
        self._left = False

    def report_now(self) -> None:
        """The state has changed, or a stored drain has."""
        self._due.set()

    async def start(self) -> None:
        """Report for the first time. Waits while Redis is away."""
        self.drain = (await self._send()).drain

    async def begin(self) -> None:
        """Drain if the first report says so. Call it before anything is claimed: then there is nothing to wait for."""
        if self.drain is not None:
            await self._worker.follow_drain(0.0, cancel=False)
            log.info("drained by a stored drain", **_shown(self.drain))
            self._record("drain.follow", self.drain)

    async def run(self) -> NoReturn:
        """Report for ever."""
        async with TaskGroup() as tasks:
            reported = time.monotonic()
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._due.wait()
                report = self._report()
                changed = _urgent(report) != self._told
                if not changed and not self._due.is_set() and time.monotonic() - reported < REPORT_SECONDS:
                    continue
                self._due.clear()
                reply = await self._send()
                reported = time.monotonic()
                await self._follow(tasks, reply)

    async def leave(self) -> None:
        """Best effort: without it, the fleet's tools show this worker as silent for three minutes."""
        with contextlib.suppress(RedisClientError, TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS), self._sending:
                self._left = True
                await self._workers.withdraw(self._report().name)

    async def _send(self) -> Reported:
        async def send() -> Reported:
            # Made anew for each try: Redis may have been away for long.
            async with self._sending:
                report = self._report()
                reply = Reported(now_ms=0, drain=self.drain) if self._left else await self._workers.report(report)
            self._told = _urgent(report)
            return reply

        return await self._availability.retry_until_available(send)

    async def _follow(self, tasks: asyncio.TaskGroup, reply: Reported) -> None:
        before, self.drain = self.drain, reply.drain
        if self.drain == before:
            return
        if self.drain is None:
            log.info("the stored drain was lifted")
            self._record("undrain.follow", before)
            await self._worker.end_stored_drain()
            return
        log.info("a stored drain is for this worker", **_shown(self.drain))
        self._record("drain.follow", self.drain)
        # A drain that was lifted ends by itself. It may be stopping jobs, which must not be left half requeued.
        if before is not None and self._draining is not None and not self._draining.done():
            if before.deadline_ms <= reply.now_ms:
                return  # its jobs are being stopped already
            self._draining.cancel()
            await asyncio.wait([self._draining])
        seconds = max(0.0, (self.drain.deadline_ms - reply.now_ms) / 1000)
        self._draining = tasks.create_task(self._drain(seconds, cancel=self.drain.cancel), name="stored drain")

    def _record(self, action: str, drain: StoredDrain | None) -> None:
        if drain is not None:
            who: dict[str, str | int] = {"who": drain.who}
            self._decisions.record(action, drain.name, reason=drain.reason, detail=who)

    async def _drain(self, seconds: float, *, cancel: bool) -> None:
        # Refused: it was lifted meanwhile, or the worker stops.
        with contextlib.suppress(WorkerRefused):
            await self._worker.follow_drain(seconds, cancel=cancel)


def _urgent(report: WorkerReport) -> tuple[object, ...]:
    return report.state, report.reason, report.modules_refused


def stored_drain_holds(drain: StoredDrain | None) -> str:
    """Why a command to one worker cannot undrain it."""
    name = drain.name if drain is not None else "*"
    kind, _, value = name.partition(":")
    option = {"worker": f"--worker {value}", "tag": f"--tag {value}"}.get(kind, "--fleet")
    who = f" by {drain.who}" if drain is not None else ""
    return f"a stored drain{who} holds here: run `workerctl undrain {option}`"


def _shown(drain: StoredDrain) -> dict[str, str]:
    return {"drain": drain.name, "who": drain.who, "reason": drain.reason}
