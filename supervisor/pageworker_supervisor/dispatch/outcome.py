"""How one attempt went, what that means for its job (the end, or a retry), and the job's result. Pure.

Only time-outs and failures that are marked as retryable are retried. A blocker is an answer, not an error.
Backoff is exponential with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter").
"""

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from msgspec import Struct, structs

from pageworker_sandbox.wire.messages import Done, Failure, Obstacle
from pageworker_sandbox.wire.profile_report import ProfileReport
from pageworker_supervisor.config.settings import JobSettings
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.result import (
    ArtifactRecord,
    AttemptRecord,
    Blocker,
    LostArtifact,
    Result,
    ResultError,
    ResultTiming,
    ResultUsage,
    Status,
    StepRecord,
    encode_result,
)
from pageworker_supervisor.contract.traffic import NO_TRAFFIC, Traffic
from pageworker_supervisor.dispatch.attempt_steps import result_steps
from pageworker_supervisor.dispatch.begin_guard import OutcomeName, UnbegunStatus
from pageworker_supervisor.queue.claim import Lease
from pageworker_supervisor.runners.budget_breach import ERROR_TYPE as BUDGET_ERROR
from pageworker_supervisor.runners.budget_breach import BudgetBreach
from pageworker_supervisor.runners.limit_breach import Breach
from pageworker_supervisor.runners.page_reservation import PageReservation
from pageworker_supervisor.tracing.trace_context import trace_id_of

_attempts = msgspec.json.Decoder(AttemptRecord)


WORKER_LOST = "the worker stopped renewing the job's lease: it ended, hung, or lost Redis"


class NotJson(Exception):
    """The runner sent data that is no MessagePack, or that JSON cannot hold. The runner is to blame: it checks
    first."""


REASON_CHARS = 300
"""Of the error of a past attempt. Redis keeps it with the waiting job."""


class Outcome(Struct, frozen=True, kw_only=True):
    """The end of an attempt. `data` is JSON; times are seconds."""

    outcome: OutcomeName
    runner_id: str | None
    """None: the job ended without a runner."""
    started_at: dt.datetime
    admitted_seconds: float = 0.0
    """From the claim to the handler's first line."""
    ran_seconds: float = 0.0
    data: msgspec.Raw = msgspec.Raw(b"null")
    failure: Failure | None = None
    detail: msgspec.Raw | None = None
    """The failure's detail as JSON."""
    obstacle: Obstacle | None = None
    profile: ProfileReport | None = None
    """What the module found last of the login of its profile."""
    artifacts: tuple[ArtifactRecord, ...] = ()
    artifacts_lost: tuple[LostArtifact, ...] = ()
    begun: bool = True
    """Whether the handler began. The module may fail to load, and the page may crash before."""


def outcome_of_answer(
    done: Done, outcome: OutcomeName, page: PageReservation, claimed_at: float, *, begun: bool
) -> Outcome:
    """The runner answered. Raises NotJson. `claimed_at`: monotonic seconds.

    A job that wanted more than its egress budget has failed, whatever its module did about it. A cancellation holds.
    """
    page.end_traffic()
    answered = Outcome(
        outcome=outcome,
        runner_id=page.runner.runner_id,
        started_at=page.started_at,
        admitted_seconds=page.began_at - claimed_at,
        ran_seconds=done.ran_seconds,
        data=json_of(done.data),
        detail=json_of(done.failure.detail) if done.failure else None,
        failure=done.failure,
        obstacle=done.obstacle,
        profile=done.profile,
        artifacts=tuple(page.artifacts),
        artifacts_lost=tuple(page.artifacts_lost),
        begun=begun,
    )
    breach = page.budget_breach
    if breach is None or outcome == "cancelled":
        return answered
    return structs.replace(
        answered,
        outcome="failed",
        data=msgspec.Raw(b"null"),
        failure=_failure_of(breach),
        detail=msgspec.Raw(msgspec.json.encode(breach.detail)),
        obstacle=None,
    )


def outcome_of_breach(
    breach: Breach | BudgetBreach, page: PageReservation, claimed_at: float, *, cancelled: bool, begun: bool
) -> Outcome:
    """The attempt exceeded a limit, and its runner was killed or is lost. A cancellation that was sent before holds."""
    return Outcome(
        outcome="cancelled" if cancelled else "failed",
        runner_id=page.runner.runner_id,
        started_at=page.started_at,
        admitted_seconds=page.began_at - claimed_at,
        ran_seconds=time.monotonic() - page.began_at,
        failure=_failure_of(breach),
        detail=msgspec.Raw(msgspec.json.encode(breach.detail)),
        artifacts=tuple(page.artifacts),
        artifacts_lost=tuple(page.artifacts_lost),
        begun=begun,
    )


def _failure_of(breach: Breach | BudgetBreach) -> Failure:
    type_ = BUDGET_ERROR if isinstance(breach, BudgetBreach) else breach.limit
    return Failure(type=type_, message=breach.message, retryable=False)


def json_of(untrusted_data: msgspec.Raw) -> msgspec.Raw:
    """A runner's MessagePack as JSON. Raises NotJson."""
    try:
        return msgspec.Raw(msgspec.json.encode(msgspec.msgpack.decode(untrusted_data)))
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise NotJson(str(error)) from error


@dataclass(frozen=True)
class EndJob:
    """The job has its result."""

    status: Status
    error: ResultError | None = None
    blocker: Blocker | None = None


@dataclass(frozen=True)
class RetryJob:
    """One more attempt, this much later."""

    delay_seconds: float
    error: ResultError
    blocker: Blocker | None = None
    """What blocked the attempt before it."""


def decide(
    job: Job, outcome: Outcome, attempt: int, rules: JobSettings, jitter: Callable[[], float]
) -> EndJob | RetryJob:
    """End or retry. `attempt` counts from 1 and includes the producer's `retry_count`; `jitter` is uniform in [0,
    1)."""
    match outcome.outcome:
        case "succeeded":
            return EndJob("succeeded")
        case "cancelled":
            return EndJob("cancelled", error("cancelled", "cancelled while it ran", retryable=False))
        case "blocked":
            return EndJob("blocked", _error_of(outcome), _blocker_of(outcome))
        case "timed_out":
            why = _time_out_of(outcome)
            end = EndJob("timed_out", why)
        case "failed":
            why = _error_of(outcome) or error("handler_error", "failed without a reason", retryable=False)
            end = EndJob("failed", why)
    if not why.retryable or not has_attempts_left(job, attempt, rules):
        return end
    return RetryJob(_asked_seconds(outcome) + backoff_seconds(attempt, rules) * jitter(), why)


def has_attempts_left(job: Job, attempt: int, rules: JobSettings) -> bool:
    """Whether `max_retries` allows another attempt after this one."""
    return attempt <= (job.max_retries if job.max_retries is not None else rules.max_retries)


def backoff_seconds(attempt: int, rules: JobSettings) -> float:
    """Upper bound of the delay after the given attempt: base doubled each time, capped."""
    return min(rules.retry_cap_seconds, rules.retry_base_seconds * 2.0 ** min(attempt - 1, 62))


def error(type_: str, message: str, *, retryable: bool, detail: object = None) -> ResultError:
    """An error of the result contract."""
    return ResultError(type=type_, message=message, retryable=retryable, detail=detail)


def _asked_seconds(outcome: Outcome) -> float:
    """How long the module asks to wait. Backoff is added, so that jobs that ask for the same time spread out."""
    asked = outcome.failure.retry_after_seconds if outcome.failure else None
    return asked or 0.0


def _error_of(outcome: Outcome) -> ResultError | None:
    failure = outcome.failure
    if failure is None:
        return None
    return ResultError(
        type=failure.type,
        message=failure.message,
        retryable=failure.retryable,
        detail=outcome.detail,
    )


def _time_out_of(outcome: Outcome) -> ResultError:
    told = _error_of(outcome)
    if told is None:
        return error("timeout", "the attempt's time was over, and its runner did not answer", retryable=True)
    return structs.replace(told, type="timeout", retryable=True)


def _blocker_of(outcome: Outcome) -> Blocker | None:
    obstacle = outcome.obstacle
    if obstacle is None:
        return None
    return Blocker(kind=obstacle.kind, provider=obstacle.provider, evidence=obstacle.evidence, url=obstacle.url)


def trace_of(job: Job) -> str:
    """The job's trace id, 32 hex digits: the producer's, or one that every attempt on every worker derives alike."""
    return trace_id_of(job.trace_id, job.ref)


def attempt_number(job: Job, lease: Lease) -> int:
    """Number of this try, whatever ended those before. It counts from 1, the producer's `retry_count` included."""
    return job.retry_count + len(lease.attempts) + 1


def past_attempts(job: Job, lease: Lease) -> tuple[AttemptRecord, ...]:
    """The records of the tries before this one, in their order. An attempt that was lost with its worker was
    written by Redis, which does not know its number."""
    records = map(_attempts.decode, lease.attempts)
    return tuple(structs.replace(record, attempt=job.retry_count + n) for n, record in enumerate(records, 1))


def last_version(job: Job, lease: Lease) -> str | None:
    """The version of the module that the newest earlier attempt ran. None: none has."""
    versions = [record.module_version for record in past_attempts(job, lease) if record.module_version is not None]
    return versions[-1] if versions else None


def attempt_of(
    job: Job, lease: Lease, outcome: Outcome, worker_id: str, version: str | None, proxy: str | None = None
) -> AttemptRecord:
    """The record of an attempt that ran, for the result's `attempts`."""
    return AttemptRecord(
        attempt=attempt_number(job, lease),
        started_at=outcome.started_at,
        duration_seconds=round(outcome.ran_seconds, 6),
        outcome=outcome.outcome,
        worker_id=worker_id,
        module_version=version,
        proxy=proxy,
    )


def with_reason(record: AttemptRecord, why: ResultError) -> AttemptRecord:
    """The record of an attempt that another one follows: the error of the result is that of the last one."""
    return structs.replace(record, reason=f"{why.type}: {why.message}"[:REASON_CHARS])


def lost_attempt(
    job: Job,
    lease: Lease,
    worker_id: str,
    version: str | None,
    started_at: dt.datetime,
    seconds: float,
    reason: str,
    proxy: str | None = None,
) -> AttemptRecord:
    """The record of an attempt whose runner died, for the result's `attempts`."""
    return AttemptRecord(
        attempt=attempt_number(job, lease),
        started_at=started_at,
        duration_seconds=round(seconds, 6),
        outcome="lost",
        worker_id=worker_id,
        module_version=version,
        proxy=proxy,
        reason=reason,
    )


def build_result(
    job: Job,
    lease: Lease,
    end: EndJob,
    worker_id: str,
    version: str | None = None,
    outcome: Outcome | None = None,
    *,
    held_seconds: float = 0.0,
    stored_seconds: float = 0.0,
    proxy: str | None = None,
    traffic: Traffic = NO_TRAFFIC,
    steps: tuple[StepRecord, ...] = (),
) -> bytes:
    """The result's JSON. `outcome`, `proxy` and `steps` are those of the last attempt, if one ran. `held_seconds`: how
    long the last lease ran, with a page. `stored_seconds`: how long its artifacts took after that. `traffic`: what it
    used of the network."""
    used = lease.traffic + traffic
    past = past_attempts(job, lease)
    last = (attempt_of(job, lease, outcome, worker_id, version, proxy),) if outcome else ()
    return encode_result(
        Result(
            job_id=job.job_id,
            tenant_id=job.tenant_id,
            status=end.status,
            endpoint_module=job.endpoint_module,
            profile_id=job.profile_id,
            trace_id=trace_of(job),
            meta=job.meta,
            data=outcome.data if outcome and end.status == "succeeded" else msgspec.Raw(b"null"),
            error=end.error,
            blocker=end.blocker,
            artifacts=outcome.artifacts if outcome else (),
            artifacts_lost=outcome.artifacts_lost if outcome else (),
            attempts=past + last,
            module_version=version,
            worker_id=worker_id,
            runner_id=outcome.runner_id if outcome else None,
            timing=ResultTiming(
                queued=round(lease.queued_seconds, 6),
                admitted=round(outcome.admitted_seconds, 6) if outcome else 0.0,
                ran=round(sum(record.duration_seconds for record in past + last), 6),
                total=round(lease.total_seconds + max(_since_claim(outcome), held_seconds + stored_seconds), 6),
            ),
            usage=ResultUsage(
                page_seconds=round(lease.page_seconds + held_seconds, 6),
                requests=used.requests,
                bytes_in=used.bytes_in,
                bytes_out=used.bytes_out,
            ),
            steps=result_steps(job, lease, steps),
        )
    )


def end_without_running(job: Job, lease: Lease) -> EndJob:
    """The end of a job that the queue says is to be ended without running."""
    match lease.ending:
        case "expired":
            return EndJob("expired", error("expired", "not started by `expires_at`", retryable=False))
        case "cancelled":
            return EndJob("cancelled", error("cancelled", "cancelled while it waited", retryable=False))
        case "dead":
            return EndJob("dead", _poison(job, lease))
        case None:
            raise LookupError(f"job {lease.ref} is to be run: its lease names no ending")


def _poison(job: Job, lease: Lease) -> ResultError:
    """Why the runners died, as far as their workers could tell."""
    deaths = [
        {"attempt": record.attempt, "reason": record.reason or WORKER_LOST}
        for record in past_attempts(job, lease)
        if record.outcome == "lost"
    ]
    last = f". The last time: {deaths[-1]['reason']}" if deaths else ""
    text = f"The job's runner or worker died {lease.crashes} times while the job ran{last}"
    return error("poison", text, retryable=False, detail={"deaths": deaths})


def unbegun(status: UnbegunStatus) -> EndJob:
    """The end of a claimed job whose handler must not begin any more."""
    if status == "expired":
        return EndJob("expired", error("expired", "not started by `expires_at`", retryable=False))
    return EndJob("cancelled", error("cancelled", "cancelled before its handler began", retryable=False))


def cancelled_at_its_end() -> EndJob:
    """The end of a job whose cancellation was acknowledged just before its result was stored."""
    return EndJob(
        "cancelled", error("cancelled", "cancelled while it ended; its own result is dropped", retryable=False)
    )


def _since_claim(outcome: Outcome | None) -> float:
    return outcome.admitted_seconds + outcome.ran_seconds if outcome else 0.0
