"""What an attempt's outcome means for its job: the end, or a retry. Pure.

Only time-outs and failures that are marked as retryable are retried. A blocker is an answer, not an error.
Backoff is exponential with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter").
"""

from collections.abc import Callable
from dataclasses import dataclass

from pageworker_supervisor.config.settings import JobSettings
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.result import Blocker, ResultError, Status
from pageworker_supervisor.dispatch.outcome import Outcome


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
            why = error("timeout", "the attempt's time budget ran out", retryable=True)
            end = EndJob("timed_out", why)
        case "failed":
            why = _error_of(outcome) or error("handler_error", "failed without a reason", retryable=False)
            end = EndJob("failed", why)
    most = job.max_retries if job.max_retries is not None else rules.max_retries
    if not why.retryable or attempt > most:
        return end
    return RetryJob(_asked_seconds(outcome) + backoff_seconds(attempt, rules) * jitter(), why)


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


def _blocker_of(outcome: Outcome) -> Blocker | None:
    obstacle = outcome.obstacle
    if obstacle is None:
        return None
    return Blocker(kind=obstacle.kind, provider=obstacle.provider, evidence=obstacle.evidence)
