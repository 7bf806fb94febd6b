"""Puts texts into the queue, with the hosts that their modules may reach: the step that both sources share."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable

from msgspec import structs

from pageworker_supervisor.contract.context_key import NO_EGRESS, egress_digest
from pageworker_supervisor.intake.admission import Admission, RejectedText
from pageworker_supervisor.intake.arrival import Arrival
from pageworker_supervisor.queue.producer import JobProducer, NewJob
from pageworker_supervisor.redis_client import Availability
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.registry.errors import ModuleError
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

EgressOf = Callable[[str, str | None], Awaitable[str]]
"""The digest of the hosts that a module may reach. Arguments: its name and pinned version."""

PARSED_PER_TURN_BYTES = 256 * 1024
"""After so many bytes, which take some milliseconds, the event loop serves other tasks."""
FETCH_SECONDS = 2.0
"""The first job of a release waits so long for its bundle, and the jobs behind it wait, too."""
BACKOFF_SECONDS = 10.0
"""After a failed or slow fetch: for so long jobs are queued without a digest."""


class Enqueuer:
    """Checks texts and stores them. `admit` returns only when the queue has all of them."""

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
        """Queue the valid jobs in their order; dead-letter the other texts and `rejected`, with results for their
        senders.

        `repeated`: these texts may have been admitted before. Raises RedisRefused.
        """
        arrived_at = time.monotonic()
        reading = "" if repeated else secrets.token_hex(4)
        new_jobs, rejections, parsed_bytes = [], list(rejected), 0
        for arrival in arrivals:
            for decision in self._decide(arrival.text):
                if isinstance(decision, NewJob):
                    egress = await self._egress_of(*decision.module)
                    new_jobs.append(structs.replace(decision, egress=egress, waited_ms=arrival.waited_ms))
                else:
                    rejections.append(decision)
            parsed_bytes += len(arrival.text)
            if parsed_bytes > PARSED_PER_TURN_BYTES:
                parsed_bytes = 0
                await asyncio.sleep(0)
        if new_jobs:
            await self._availability.retry_until_available(
                lambda: self._producer.enqueue(_aged(new_jobs, time.monotonic() - arrived_at), reading)
            )
        for rejection in rejections:
            await self._reject(rejection, reading)

    def _decide(self, untrusted_text: bytes) -> list[NewJob | RejectedText]:
        try:
            return self._admission.decide(untrusted_text)
        except Exception as error:  # noqa: BLE001 - the text stays in its source, so it would end each worker in turn
            log.opt(exception=error).error("a text could not be checked", bytes=len(untrusted_text))
            return [RejectedText(untrusted_text, "internal_error", "pageworker could not check this text: a bug")]

    async def _reject(self, rejected: RejectedText, reading: str) -> None:
        arguments = (rejected.raw, rejected.reason, rejected.identity, rejected.result, rejected.callback, reading)
        await self._availability.retry_until_available(lambda: self._producer.reject(*arguments))
        self._metrics.rejected(rejected.type)
        ref = rejected.identity
        line = log.bind(job=str(ref), tenant_id=ref.tenant_id) if ref else log
        line.warning("rejected", type=rejected.type, reason=rejected.reason)


def _aged(new_jobs: list[NewJob], seconds: float) -> list[NewJob]:
    """The same jobs with the time added that Redis was not available."""
    later = int(seconds * 1000)
    return [structs.replace(new_job, waited_ms=new_job.waited_ms + later) for new_job in new_jobs]


async def no_egress(name: str, pin: str | None) -> str:
    """Used where intake has no registry."""
    return NO_EGRESS


class ModuleEgress:
    """Digests of the allowed hosts, by release.

    A wrong digest does no harm: the worker that runs the job checks it again and reassigns the job. With the right
    digest the job shares a warm runner at once.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[str, str] = {}
        self._backoff_until = 0.0

    async def digest(self, name: str, pin: str | None) -> str:
        """The digest of the release that a job would run now; NO_EGRESS where it cannot be had within FETCH_SECONDS."""
        try:
            release = self._registry.resolve(name, pin)
            known = self._known.get(release.sha256)
            if known is None:
                if time.monotonic() < self._backoff_until:
                    return NO_EGRESS
                async with asyncio.timeout(FETCH_SECONDS):
                    bundle = await self._registry.bundle(release)
                known = self._known[release.sha256] = egress_digest(bundle.manifest.egress)
        except ModuleError as wrong:
            if wrong.retryable:
                self._backoff_until = time.monotonic() + BACKOFF_SECONDS
            return NO_EGRESS
        except TimeoutError:
            self._backoff_until = time.monotonic() + BACKOFF_SECONDS
            return NO_EGRESS
        except OSError as failed:
            # The worker has no descriptors, memory or disk left. The job is queued all the same.
            log.warning("module's hosts not known now", module=name, reason=failed.strerror or str(failed))
            self._backoff_until = time.monotonic() + BACKOFF_SECONDS
            return NO_EGRESS
        return known
