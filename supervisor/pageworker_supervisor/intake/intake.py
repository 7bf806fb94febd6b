"""Moves jobs from the producers' lists and streams into the queue, until it is cancelled.

A text is removed from its source only after the queue has it. A crash, a lost connection or a cancellation in between
has the effect that the text is taken once more; the queue recognises the job by its id. At the start, after each
failure and at intervals, intake looks for texts that a source still holds for this worker or for a dead one.
"""

import asyncio
import contextlib
import time
from typing import Protocol

from pageworker_supervisor.intake.admission import Admission
from pageworker_supervisor.intake.common_sources import ListSource, StreamSource
from pageworker_supervisor.intake.enqueuer import AddContext, Enqueuer, without_context
from pageworker_supervisor.intake.list_source import ProducerList
from pageworker_supervisor.intake.stream_source import ProducerStream
from pageworker_supervisor.intake.tenant_source import TenantSource
from pageworker_supervisor.intake.timing import IntakeTimeouts
from pageworker_supervisor.queue.producer import JobProducer
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.redis_client.errors import RedisClientError, RedisRefused
from pageworker_supervisor.task_supervision import run_forever
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics
from pageworker_supervisor.tracing.job_trace import Tracer

LEAVE_SECONDS = 1.0
REFUSED_SECONDS = 5.0
"""After Redis refused a command for good."""


class Source(Protocol):
    """A way in. Each step passes a batch to the enqueuer, then removes it from the source. Raises RedisClientError."""

    async def fresh(self) -> None:
        """New texts. Waits for a limited time if there are none."""

    async def leftovers(self) -> bool:
        """A batch that this worker took and did not finish. False: there is none."""

    async def upkeep(self) -> None:
        """Send a heartbeat; take over the texts of dead workers."""


class Intake:
    """All ways in, for one worker. `run` can be cancelled at any moment."""

    def __init__(
        self,
        redis_client: RedisClient,
        producer: JobProducer,
        admission: Admission,
        prefix: str,
        worker_id: str,
        metrics: Metrics,
        timing: IntakeTimeouts = IntakeTimeouts(),
        with_context: AddContext = without_context,
        tracer: Tracer | None = None,
    ) -> None:
        self._redis_client = redis_client
        self._timing = timing
        self._open = asyncio.Event()
        self._open.set()
        self._enqueuer = enqueuer = Enqueuer(
            producer, redis_client.availability, admission, metrics, with_context, tracer
        )
        self._inbox = ProducerList(redis_client.ingress, prefix, worker_id, timing)
        self._sources: dict[str, Source] = {
            "inbox": ListSource(self._inbox, enqueuer),
            "jobs": StreamSource(ProducerStream(redis_client.ingress, prefix, worker_id, timing), enqueuer),
        }
        self._tenants: TenantSource | None = None
        if admission.per_tenant:
            self._tenants = TenantSource(redis_client.ingress, prefix, worker_id, enqueuer, timing, admission.inboxes)
            self._sources["tenants"] = self._tenants

    async def run(self) -> None:
        """Take jobs until cancelled."""
        try:
            works = {f"intake of {name}": self._serve(source) for name, source in self._sources.items()}
            if self._redis_client.ingress is not self._redis_client:
                works["ingress Redis"] = self._redis_client.ingress.availability.run()
            await run_forever(works)
        finally:
            # Best effort: without it, other workers wait for `silent_seconds` before they take over.
            with contextlib.suppress(RedisClientError, TimeoutError):
                async with asyncio.timeout(LEAVE_SECONDS):
                    await self._inbox.taken.leave()
                    if self._tenants is not None:
                        await self._tenants.leave()

    def use(self, admission: Admission) -> None:
        """Decide with these settings from the next text on."""
        self._enqueuer.use(admission)
        if self._tenants is not None:
            self._tenants.use(admission.inboxes)

    def pause(self) -> None:
        """Take no new texts. The texts of a blocked read that returns later are still queued."""
        self._open.clear()

    def resume(self) -> None:
        """Take jobs again."""
        self._open.set()

    async def _serve(self, source: Source) -> None:
        availability = self._redis_client.ingress.availability
        steps = _SourceSteps(source, self._timing.upkeep_seconds)

        async def step() -> None:
            await self._open.wait()
            await steps.next()

        while True:
            try:
                await availability.retry_until_available(step, steps.suspect)
            except RedisRefused as refused:
                # A bug or a broken producer. The jobs that run are no reason to stop.
                log.error("intake is refused", reason=str(refused))
                steps.suspect()
                await asyncio.sleep(REFUSED_SECONDS)


class _SourceSteps:
    """Which step a source takes next."""

    def __init__(self, source: Source, upkeep_seconds: float) -> None:
        self._source = source
        self._upkeep_seconds = upkeep_seconds
        self._suspect = True
        self._upkeep_at = 0.0

    async def next(self) -> None:
        """One step. Raises RedisClientError."""
        if time.monotonic() >= self._upkeep_at:
            await self._source.upkeep()
            self._upkeep_at = time.monotonic() + self._upkeep_seconds
        if self._suspect:
            self._suspect = await self._source.leftovers()
        else:
            await self._source.fresh()

    def suspect(self) -> None:
        """A step failed. Its reply may be lost, and with it the knowledge of what was taken: look for leftovers."""
        self._suspect = True
