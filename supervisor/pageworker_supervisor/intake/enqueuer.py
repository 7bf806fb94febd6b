"""From texts to the queue: the one step that both sources share."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable

from msgspec import structs

from pageworker_supervisor.intake.admission import Admission, RejectedText
from pageworker_supervisor.intake.arrival import Arrival
from pageworker_supervisor.queue.new_job import NewJob
from pageworker_supervisor.queue.producer import JobProducer
from pageworker_supervisor.redis_client import Availability
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

EgressOf = Callable[[str, str | None], Awaitable[str]]
"""The digest of the hosts that a module, by name and pinned version, may reach."""

PARSED_AT_ONCE_BYTES = 256 * 1024
"""The event loop serves others after so much: some milliseconds."""


class Enqueuer:
    """Admits texts and has them stored; comes back only when all of them are."""

    def __init__(
        self,
        producer: JobProducer,
        availability: Availability,
        admission: Admission,
        metrics: Metrics,
        egress_of: EgressOf,
    ) -> None:
        self._producer = producer
        self._availability = availability
        self._admission = admission
        self._metrics = metrics
        self._egress_of = egress_of

    async def admit(
        self, arrivals: Iterable[Arrival], rejected: Iterable[RejectedText] = (), *, repeated: bool = False
    ) -> None:
        """Queue what is a job, dead-letter what is none, with its sender's result. Order is kept.

        `repeated`: these may have been admitted before.
        """
        arrived_at = time.monotonic()
        reading = "" if repeated else secrets.token_hex(4)
        jobs, rejects, parsed_bytes = list[NewJob](), list(rejected), 0
        for arrival in arrivals:
            decision = self._admission.decide(arrival.text)
            if isinstance(decision, NewJob):
                egress = await self._egress_of(*decision.module)
                jobs.append(structs.replace(decision, egress=egress, waited_ms=arrival.waited_ms))
            else:
                rejects.append(decision)
            parsed_bytes += len(arrival.text)
            if parsed_bytes > PARSED_AT_ONCE_BYTES:
                parsed_bytes = 0
                await asyncio.sleep(0)  # lets the loop turn
        if jobs:
            await self._availability.retry_until_available(
                lambda: self._producer.enqueue(_aged(jobs, time.monotonic() - arrived_at), reading)
            )
        for reject in rejects:
            await self._reject(reject, reading)

    async def _reject(self, reject: RejectedText, reading: str) -> None:
        words = (reject.raw, reject.reason, reject.identity, reject.result, reject.callback, reading)
        await self._availability.retry_until_available(lambda: self._producer.reject(*words))
        self._metrics.rejected(reject.type)
        ref = reject.identity
        line = log.bind(job=str(ref), tenant_id=ref.tenant_id) if ref else log
        line.warning("rejected", type=reject.type, reason=reject.reason)


def _aged(jobs: list[NewJob], seconds: float) -> list[NewJob]:
    """The same jobs, so much later: Redis may have been unavailable."""
    later = int(seconds * 1000)
    return [structs.replace(job, waited_ms=job.waited_ms + later) for job in jobs]
