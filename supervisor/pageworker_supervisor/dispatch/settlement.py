"""Where attempts come to an end: turns what happened into one word to the queue, and says it until it is heard.

Every call to the queue is idempotent, so it is simply repeated while Redis is away. A word that comes too
late (the lease went to somebody else) is dropped: the other worker's answer counts.
"""

import datetime as dt
import random

import msgspec

from pageworker_sandbox.wire.messages import Failure
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.event import EventName, TenantEvent, encode_event
from pageworker_supervisor.contract.result import AttemptRecord, ResultError, Status
from pageworker_supervisor.dispatch import result_builder
from pageworker_supervisor.dispatch.claimed_job import ClaimedJob
from pageworker_supervisor.dispatch.outcome import Outcome
from pageworker_supervisor.dispatch.retry_policy import EndJob, RetryJob, backoff_seconds, decide
from pageworker_supervisor.queue.consumer import JobConsumer
from pageworker_supervisor.queue.errors import CancelHolds
from pageworker_supervisor.queue.lease import FinishRequest
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.runners.start_failure import ContextBroken
from pageworker_supervisor.telemetry.metrics import Metrics

DEAD_LETTERED = frozenset({"failed", "timed_out", "dead", "rejected"})
"""Statuses whose job an operator may want to look at and send again."""

EVENT_OF: dict[Status, EventName] = {"rejected": "rejected", "blocked": "blocked", "dead": "dead"}


class Settlement:
    """Ends attempts: result, retry, deferral, hand-back, crash."""

    def __init__(
        self, name: str, queue: JobConsumer, availability: Availability, settings: Settings, metrics: Metrics
    ) -> None:
        self._name = name
        self._queue = queue
        self._availability = availability
        self._settings = settings
        self._metrics = metrics
        self._worker_id = settings.worker.id

    async def judge(self, case: ClaimedJob, outcome: Outcome) -> None:
        """An attempt ran: the job ends, or is tried again."""
        self._metrics.admitted(outcome.admitted_seconds)
        await self._decide(case, outcome)

    async def not_started(self, case: ClaimedJob, broken: ContextBroken, runner_id: str | None) -> None:
        """The job's browser context does not come up, by its own fault: an attempt that failed, with that error."""
        failure = Failure(
            type=broken.failure.type,
            message=broken.failure.message,
            retryable=broken.failure.retryable,
            retry_after_seconds=broken.retry_after_seconds,
        )
        breach = broken.failure.breach
        outcome = Outcome(
            outcome="failed",
            runner_id=runner_id,
            started_at=dt.datetime.now(dt.UTC),
            failure=failure,
            detail=msgspec.Raw(msgspec.json.encode(breach.detail)) if breach else None,
            begun=False,
        )
        await self._decide(case, outcome)

    async def _decide(self, case: ClaimedJob, outcome: Outcome) -> None:
        decision = decide(case.job, outcome, case.lease.attempt, self._settings.jobs, random.random)
        match decision:
            case EndJob():
                await self.end(case, decision, outcome)
            case RetryJob():
                line = result_builder.attempt_of(case.lease, outcome, self._worker_id, case.version)
                await self._again(case, decision, line, begun=outcome.begun)

    async def end(self, case: ClaimedJob, end: EndJob, outcome: Outcome | None = None) -> None:
        """The job has its result."""
        result = result_builder.build_result(case.job, case.lease, end, self._worker_id, case.version, outcome)
        dead = None
        if end.status in DEAD_LETTERED:
            last = result_builder.attempt_of(case.lease, outcome, self._worker_id, case.version) if outcome else None
            dead = _dead_letter(case, end.error, last)
        told = EVENT_OF.get(end.status)
        events = (self._event(case, told, end.error),) if told else ()
        ending = FinishRequest(
            status=end.status,
            result=result,
            callback=case.job.callback_url,
            dead_letter=dead,
            events=events,
        )
        try:
            kept = await self._availability.retry_until_available(lambda: self._queue.finish(case.lease, ending))
        except CancelHolds:
            await self.end(case, result_builder.cancelled_at_its_end(), outcome)
            return
        if not kept:
            case.log.warning("result dropped, the lease was lost", status=end.status)
            self._metrics.lost(case.job.tenant_id)
            return
        queued, ran = case.lease.queued_seconds, outcome.ran_seconds if outcome else 0.0
        self._metrics.finished(case.job.module_name, case.job.tenant_id, end.status, queued, ran)
        case.log.info(
            "job ended",
            status=end.status,
            module=case.job.module_name,
            module_version=case.version,
            error_type=end.error.type if end.error else None,
            queued_seconds=round(queued, 4),
            ran_seconds=round(ran, 4),
        )

    async def crashed(
        self, case: ClaimedJob, runner_id: str, reason: str, started_at: dt.datetime | None, ran: float, *, begun: bool
    ) -> None:
        """The runner died under the job: its crash count goes up, and from now on it runs alone."""
        line = AttemptRecord(
            attempt=case.lease.attempt,
            started_at=started_at or dt.datetime.now(dt.UTC),
            duration_seconds=round(ran, 6),
            outcome="lost",
            worker_id=self._worker_id,
            module_version=case.version,
        )
        case.log.warning("runner died under the job", runner_id=runner_id, reason=reason)
        delay = backoff_seconds(case.lease.crashes + 1, self._settings.jobs) * random.random()
        await self._availability.retry_until_available(
            lambda: self._queue.crash(case.lease, _ms(delay), msgspec.json.encode(line), begun=begun)
        )

    async def begun(self, case: ClaimedJob) -> None:
        """Its handler has begun."""
        await self._availability.retry_until_available(lambda: self._queue.begin(case.lease))

    async def defer(self, case: ClaimedJob, reason: str) -> None:
        """It could not run for no fault of its own: later, uncharged."""
        case.log.warning("job deferred", reason=reason)
        self._metrics.deferred("host")
        await self._availability.retry_until_available(
            lambda: self._queue.defer(case.lease, _ms(1.0 + random.random()), reason)
        )

    async def requeue(self, case: ClaimedJob, reason: str, *, begun: bool = False) -> None:
        """Back to the front of its queue, uncharged. `begun`: its handler had begun."""
        case.log.info("job handed back", reason=reason)
        await self._availability.retry_until_available(lambda: self._queue.requeue(case.lease, begun=begun))

    async def reassign(self, case: ClaimedJob, egress: str) -> None:
        """Its module has other hosts than when it was queued, and no runner for these is free: it waits for one."""
        case.log.info("job moved to another egress set", was=case.lease.egress, egress=egress)
        await self._availability.retry_until_available(lambda: self._queue.reassign(case.lease, egress))

    async def release(self, tenant_id: str, profile_id: str, fence: int) -> None:
        """A profile is closed here: others may have it."""
        await self._availability.retry_until_available(
            lambda: self._queue.release_profile(self._name, tenant_id, profile_id, fence)
        )

    async def _again(self, case: ClaimedJob, again: RetryJob, line: AttemptRecord, *, begun: bool) -> None:
        case.log.info("job will be retried", delay_seconds=round(again.delay_seconds, 3), error_type=again.error.type)
        self._metrics.retried(case.job.module_name)
        event = self._event(case, "retrying", again.error)
        await self._availability.retry_until_available(
            lambda: self._queue.retry(
                case.lease, _ms(again.delay_seconds), msgspec.json.encode(line), (event,), begun=begun
            )
        )

    def _event(self, case: ClaimedJob, name: EventName, why: ResultError | None) -> bytes:
        return encode_event(TenantEvent(event=name, job_id=case.job.job_id, tenant_id=case.job.tenant_id, error=why))


def _dead_letter(case: ClaimedJob, why: ResultError | None, last: AttemptRecord | None) -> bytes:
    attempts = [*(msgspec.Raw(line) for line in case.lease.attempts), *([last] if last else [])]
    return msgspec.json.encode({"error": why, "attempts": attempts})


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
