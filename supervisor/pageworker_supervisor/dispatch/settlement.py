"""Settles attempts: maps each outcome to one queue call (finish, retry, defer, requeue, reassign, crash).

Every queue call is idempotent. It is repeated until Redis accepts it. The queue ignores a call that comes too late,
when the lease belongs to another worker: that worker's result counts.
"""

import asyncio
import datetime as dt
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from pageworker_sandbox.wire.messages import Failure
from pageworker_supervisor.config.settings import JobSettings
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.contract.event import EventName, TenantEvent, encode_event
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.result import AttemptRecord, Blocker, ResultError, Status
from pageworker_supervisor.dispatch.attempt_steps import past_attempt
from pageworker_supervisor.dispatch.blocker_policy import after_blocker, blocked_record
from pageworker_supervisor.dispatch.blocker_response import BlockerResponse
from pageworker_supervisor.dispatch.job_observation import job_observation
from pageworker_supervisor.dispatch.login_reports import LoginReports
from pageworker_supervisor.dispatch.outcome import (
    EndJob,
    Outcome,
    RetryJob,
    attempt_of,
    backoff_seconds,
    build_result,
    cancelled_at_its_end,
    decide,
    has_attempts_left,
    lost_attempt,
    past_attempts,
    trace_of,
    with_reason,
)
from pageworker_supervisor.dispatch.rejection import failed_fetch, rejection_of
from pageworker_supervisor.dispatch.running_calls import ClaimedJob, RunningCalls
from pageworker_supervisor.files.errors import FileError, FilesCrowded
from pageworker_supervisor.queue.consumer import JobConsumer
from pageworker_supervisor.queue.errors import CancelHolds
from pageworker_supervisor.queue.usage import JobSpending
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.rollouts.rollout_entry import Rollout
from pageworker_supervisor.runners.start_failure import ContextBroken
from pageworker_supervisor.secrets.errors import SecretUnavailable
from pageworker_supervisor.telemetry.metrics import Metrics
from pageworker_supervisor.tracing.trace_context import caller_of

if TYPE_CHECKING:
    pass

DEAD_LETTERED = frozenset({"failed", "timed_out", "dead", "rejected"})
"""Statuses whose job is dead-lettered: an operator may inspect and retry it."""

SECRET_OUTAGE_SECONDS = 5.0
"""Before a job is tried again whose secret backend does not answer."""

EVENT_OF: dict[Status, EventName] = {"rejected": "rejected", "blocked": "blocked", "dead": "dead"}


class Settlement:
    """The queue calls of one worker's attempts. `name`: the worker as the queue knows it."""

    def __init__(
        self,
        name: str,
        worker_id: str,
        jobs: JobSettings,
        queue: JobConsumer,
        availability: Availability,
        metrics: Metrics,
        logins: LoginReports,
        running_rollout: Callable[[str], Rollout | None] = lambda _: None,
        blockers: BlockerResponse | None = None,
    ) -> None:
        """`running_rollout(module)`: the one that shares out jobs now. `blockers`: None: no tenant has policies."""
        self.running = RunningCalls(queue, availability)
        self.logins = logins
        self.blockers = blockers
        self.observed = asyncio.Event()
        """Set after a job of a running rollout has ended. The waiting task clears it."""
        self._running_rollout = running_rollout
        self._name = name
        self._worker_id = worker_id
        self._jobs = jobs
        self._queue = queue
        self._availability = availability
        self._metrics = metrics

    def use(self, jobs: JobSettings) -> None:
        """Decide with these settings from now on."""
        self._jobs = jobs

    async def attempt_ended(self, attempt: ClaimedJob, outcome: Outcome) -> bool:
        """An attempt ran: the job ends, or is retried. Returns as `end`."""
        self._metrics.jobs.admitted(outcome.admitted_seconds)
        self.logins.attempt_ended(attempt, outcome)
        return await self._decide(attempt, outcome)

    async def not_started(self, attempt: ClaimedJob, broken: ContextBroken, runner_id: str | None) -> bool:
        """The job's browser context does not come up, by its own fault: the attempt failed, with that error.

        Returns as `end`.
        """
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
        return await self._decide(attempt, outcome)

    async def _decide(self, attempt: ClaimedJob, outcome: Outcome) -> bool:
        decision = decide(attempt.job, outcome, attempt.lease.attempt, self._jobs, random.random)
        if self.blockers is not None and isinstance(decision, EndJob) and decision.blocker is not None:
            may_retry = has_attempts_left(attempt.job, attempt.lease.attempt, self._jobs)
            steps = await self.blockers.respond(attempt, decision.blocker, may_retry=may_retry, jitter=random.random())
            decision = after_blocker(decision, steps)
        match decision:
            case EndJob():
                return await self.end(attempt, decision, outcome)
            case RetryJob():
                record = with_reason(self._record(attempt, outcome, decision.blocker), decision.error)
                await self._retry(attempt, decision, record, begun=outcome.begun)
                return False

    def _record(self, attempt: ClaimedJob, outcome: Outcome, blocker: Blocker | None) -> AttemptRecord:
        record = attempt_of(attempt.job, attempt.lease, outcome, self._worker_id, attempt.version, attempt.proxy)
        return record if blocker is None else blocked_record(record, blocker)

    async def end(self, attempt: ClaimedJob, end: EndJob, outcome: Outcome | None = None) -> bool:
        """The job has its result. True: the lock of its unused profile is settled with it."""
        now = time.monotonic()
        left_at = attempt.left_at or now
        held = 0.0 if attempt.lease.ending else left_at - attempt.claimed_at
        result = build_result(
            *(attempt.job, attempt.lease, end, self._worker_id, attempt.version, outcome),
            held_seconds=held,
            stored_seconds=now - left_at,
            proxy=attempt.proxy,
            traffic=attempt.traffic,
            steps=attempt.steps,
        )
        dead = None
        if end.status in DEAD_LETTERED:
            dead = _dead_letter(attempt, end.error, self._record(attempt, outcome, None) if outcome else None)
        event = EVENT_OF.get(end.status)
        events = (self._event(attempt, event, end.error, end.blocker),) if event else ()
        unused = False
        used = None if attempt.lease.ending else attempt.use(end.status, end.error.type if end.error else None)
        observed = job_observation(attempt, end, outcome, self._running_rollout)
        spent = JobSpending(attempt.lease.page_seconds + held, attempt.lease.traffic + attempt.traffic)

        async def finish() -> bool:
            # At each try: while Redis was away, another job may have opened the profile here.
            nonlocal unused
            unused = attempt.has_unused_profile
            return await self._queue.finish(
                attempt.lease,
                end.status,
                result,
                callback=attempt.job.callback_url,
                trace=attempt.job.trace_id if caller_of(attempt.job.trace_id) else None,
                dead_letter=dead,
                events=events,
                release_profile=unused,
                used=used,
                observed=observed,
                spent=spent,
            )

        try:
            kept = await self._availability.retry_until_available(finish)
        except CancelHolds:
            return await self.end(attempt, cancelled_at_its_end(), outcome)
        if not kept:
            attempt.log.warning("result dropped, the lease was lost", status=end.status)
            self._metrics.jobs.lost(attempt.job.tenant_id)
            return False
        if observed is not None:
            self.observed.set()
        if attempt.trace is not None:
            attempt.trace.job_ended(end.status, end.error.type if end.error else None)
        queued, ran = attempt.lease.queued_seconds, outcome.ran_seconds if outcome else 0.0
        self._count(attempt, end, queued, ran)
        attempt.log.info(
            "job ended",
            status=end.status,
            error_type=end.error.type if end.error else None,
            queued_seconds=round(queued, 4),
            ran_seconds=round(ran, 4),
            requests=attempt.traffic.requests,
            bytes_in=attempt.traffic.bytes_in,
            bytes_out=attempt.traffic.bytes_out,
        )
        return unused

    def _count(self, attempt: ClaimedJob, end: EndJob, queued: float, ran: float) -> None:
        jobs, module = self._metrics.jobs, attempt.job.module_name
        jobs.finished(module, attempt.job.tenant_id, end.status, queued, ran)
        since_claim = time.monotonic() - attempt.claimed_at
        jobs.answered(module, attempt.lease.total_seconds + since_claim, trace_of(attempt.job))
        if end.blocker is not None:
            jobs.blocked(module, end.blocker.kind)

    async def crashed(
        self,
        attempt: ClaimedJob,
        runner_id: str,
        reason: str,
        started_at: dt.datetime | None,
        ran: float,
        *,
        begun: bool,
    ) -> None:
        """The runner died while the job ran: its crash count goes up, and from now on it runs alone on a runner."""
        attempt.log.warning("runner died under the job", runner_id=runner_id, reason=reason)
        await self._crash(attempt, started_at or dt.datetime.now(dt.UTC), ran, reason, begun=begun)

    async def ended_by_bug(self, attempt: ClaimedJob, claimed_at: float, *, begun: bool) -> None:
        """A bug of this worker ended the attempt, `claimed_at` on the monotonic clock. It counts as a crash."""
        ran = time.monotonic() - claimed_at
        began = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=ran)
        await self._crash(attempt, began, ran, "a bug of the worker: its log has the traceback", begun=begun)

    async def _crash(self, attempt: ClaimedJob, began: dt.datetime, ran: float, reason: str, *, begun: bool) -> None:
        record = lost_attempt(
            attempt.job, attempt.lease, self._worker_id, attempt.version, began, ran, reason, attempt.proxy
        )
        delay = backoff_seconds(attempt.lease.crashes + 1, self._jobs) * random.random()
        await self._availability.retry_until_available(
            lambda: self._queue.crash(
                *(attempt.lease, _ms(delay), past_attempt(record, attempt.steps)),
                begun=begun,
                traffic=attempt.traffic,
                used=attempt.use("lost", reason),
            )
        )

    async def files_failed(self, attempt: ClaimedJob, failed: FileError | FilesCrowded) -> bool:
        """The job's files are not there: it is rejected, tried again, or waits for memory. Returns as `end`."""
        if isinstance(failed, FilesCrowded):
            await self.defer(attempt, str(failed), cause="files")
            return False
        if failed.retryable:
            return await self._decide(attempt, failed_fetch(failed))
        return await self.end(attempt, rejection_of(failed))

    async def secret_outage(self, attempt: ClaimedJob, away: SecretUnavailable, *, begun: bool) -> None:
        """The secret backend does not answer, and no value is left within its lease."""
        reason = f"the secret backend gives no value: {away}"
        await self.defer(attempt, reason, SECRET_OUTAGE_SECONDS, cause="secrets", begun=begun)

    async def check_cooling(self, job: Job) -> None:
        """Raises ProfileCools if no job of its profile may start yet."""
        if (blockers := self.blockers) is not None:
            await self._availability.retry_until_available(lambda: blockers.check_cooling(job))

    async def defer(
        self, attempt: ClaimedJob, reason: str, seconds: float = 1.0, *, cause: str = "host", begun: bool = False
    ) -> None:
        """The job could not run, and is not to blame: it waits for `seconds` and up to one more, uncharged.

        `cause`: the label of the metric. `begun`: its handler had begun.
        """
        attempt.log.warning("job deferred", reason=reason)
        self._metrics.jobs.deferred(cause)
        await self._availability.retry_until_available(
            lambda: self._queue.defer(
                *(attempt.lease, _ms(seconds + random.random()), reason),
                begun=begun,
                traffic=attempt.traffic,
                used=attempt.use(),
            )
        )

    async def requeue(self, attempt: ClaimedJob, reason: str, *, begun: bool = False) -> None:
        """The job goes back to the front of its backlog, uncharged. `begun`: its handler had begun."""
        await self.requeue_stopped(attempt, reason, begun=begun)

    async def requeue_stopped(self, attempt: ClaimedJob, reason: str, *, begun: bool) -> bool:
        """As `requeue`. False: another call of this attempt was quicker, or its lease was lost."""
        attempt.log.info("job requeued", reason=reason)
        return await self._availability.retry_until_available(
            lambda: self._queue.requeue(attempt.lease, begun=begun, traffic=attempt.traffic, used=attempt.use())
        )

    async def reassign(self, attempt: ClaimedJob, context: ContextKey) -> None:
        """The job's module has other hosts or options than when it was queued, and no runner for them is free: the job
        waits for one."""
        attempt.log.info("job moved to another context", was=attempt.lease.context.values, now=context.values)
        await self._availability.retry_until_available(
            lambda: self._queue.reassign(attempt.lease, context, used=attempt.use())
        )

    async def release(self, tenant_id: str, profile_id: str, fence: int) -> None:
        """A profile is closed here: other workers may open it."""
        await self._availability.retry_until_available(
            lambda: self._queue.release_profile(self._name, tenant_id, profile_id, fence)
        )

    async def _retry(self, attempt: ClaimedJob, retry: RetryJob, record: AttemptRecord, *, begun: bool) -> None:
        attempt.log.info(
            "job will be retried", delay_seconds=round(retry.delay_seconds, 3), error_type=retry.error.type
        )
        self._metrics.jobs.retried(attempt.job.module_name)
        if attempt.trace is not None:
            attempt.trace.settled_as("retry", retry.error.type)
        if retry.blocker is not None and attempt.job.profile_id is None and attempt.runner is not None:
            # The next attempt begins with a browser context that the site has not seen.
            attempt.runner.retire("a site has blocked a job of it", restart="retired")
        event = self._event(attempt, "retrying", retry.error, retry.blocker)
        await self._availability.retry_until_available(
            lambda: self._queue.retry(
                *(attempt.lease, _ms(retry.delay_seconds), past_attempt(record, attempt.steps), (event,)),
                begun=begun,
                traffic=attempt.traffic,
                used=attempt.use(record.outcome, retry.error.type),
            )
        )

    def _event(
        self, attempt: ClaimedJob, name: EventName, why: ResultError | None, blocker: Blocker | None = None
    ) -> bytes:
        return encode_event(
            TenantEvent(
                event=name,
                job_id=attempt.job.job_id,
                tenant_id=attempt.job.tenant_id,
                error=why,
                detail=msgspec.to_builtins(blocker) if blocker else None,
            )
        )


def _dead_letter(attempt: ClaimedJob, why: ResultError | None, last: AttemptRecord | None) -> bytes:
    attempts = [*past_attempts(attempt.job, attempt.lease), *([last] if last else [])]
    return msgspec.json.encode({"error": why, "attempts": attempts})


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
