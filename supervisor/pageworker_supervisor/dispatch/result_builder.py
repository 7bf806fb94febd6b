"""Builds the results of accepted jobs. Pure."""

import datetime as dt
import hashlib

import msgspec

from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.result import AttemptRecord, Result, ResultError, ResultTiming, encode_result
from pageworker_supervisor.dispatch.begin_guard import UnbegunStatus
from pageworker_supervisor.dispatch.outcome import Outcome
from pageworker_supervisor.dispatch.retry_policy import EndJob
from pageworker_supervisor.queue.claim import Lease

_attempts = msgspec.json.Decoder(AttemptRecord)


def trace_of(job: Job) -> str:
    """The job's trace id, 32 hex digits: the producer's, or one that every attempt on every worker derives alike."""
    if job.trace_id is None:
        return hashlib.blake2b(str(job.ref).encode(), digest_size=16).hexdigest()
    return job.trace_id if len(job.trace_id) == 32 else job.trace_id.split("-")[1]


def attempt_of(lease: Lease, outcome: Outcome, worker_id: str, version: str | None) -> AttemptRecord:
    """The record of an attempt that ran, for the result's `attempts`."""
    return AttemptRecord(
        attempt=lease.attempt,
        started_at=outcome.started_at,
        duration_seconds=round(outcome.ran_seconds, 6),
        outcome=outcome.outcome,
        worker_id=worker_id,
        module_version=version,
    )


def lost_attempt(
    lease: Lease, worker_id: str, version: str | None, started_at: dt.datetime, seconds: float
) -> AttemptRecord:
    """The record of an attempt whose runner died, for the result's `attempts`."""
    return AttemptRecord(
        attempt=lease.attempt,
        started_at=started_at,
        duration_seconds=round(seconds, 6),
        outcome="lost",
        worker_id=worker_id,
        module_version=version,
    )


def build_result(
    job: Job,
    lease: Lease,
    end: EndJob,
    worker_id: str,
    version: str | None = None,
    outcome: Outcome | None = None,
) -> bytes:
    """The result's JSON. `outcome` is that of the last attempt, where one ran."""
    past = tuple(_attempts.decode(line) for line in lease.attempts)
    last = (attempt_of(lease, outcome, worker_id, version),) if outcome else ()
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
            attempts=past + last,
            module_version=version,
            worker_id=worker_id,
            runner_id=outcome.runner_id if outcome else None,
            timing=ResultTiming(
                queued=round(lease.queued_seconds, 6),
                admitted=round(outcome.admitted_seconds, 6) if outcome else 0.0,
                ran=round(outcome.ran_seconds, 6) if outcome else 0.0,
                total=round(lease.total_seconds + _since_claim(outcome), 6),
            ),
        )
    )


def end_without_running(lease: Lease) -> EndJob:
    """The end of a job that the queue says is to be ended without running."""
    match lease.ending:
        case "expired":
            return EndJob("expired", _error("expired", "not started by `expires_at`"))
        case "cancelled":
            return EndJob("cancelled", _error("cancelled", "cancelled while it waited"))
        case "dead":
            return EndJob("dead", _error("poison", f"its runner or worker died {lease.crashes} times"))
        case None:
            raise LookupError(f"job {lease.ref} is to be run: its lease names no ending")


def unbegun(status: UnbegunStatus) -> EndJob:
    """The end of a claimed job whose handler must not begin any more."""
    if status == "expired":
        return EndJob("expired", _error("expired", "not started by `expires_at`"))
    return EndJob("cancelled", _error("cancelled", "cancelled before its handler began"))


def cancelled_at_its_end() -> EndJob:
    """The end of a job whose cancellation was acknowledged just before its result was stored."""
    return EndJob("cancelled", _error("cancelled", "cancelled while it ended; its own result is dropped"))


def _error(type_: str, message: str) -> ResultError:
    return ResultError(type=type_, message=message, retryable=False)


def _since_claim(outcome: Outcome | None) -> float:
    return outcome.admitted_seconds + outcome.ran_seconds if outcome else 0.0
