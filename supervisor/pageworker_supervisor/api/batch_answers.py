"""The bodies of the operations on batches. Pure."""

import datetime as dt
from typing import Literal

import msgspec
from msgspec import Struct

from pageworker_supervisor.api.answers import SubmittedAnswer
from pageworker_supervisor.contract.result import Status
from pageworker_supervisor.contract.utc_time import utc_time
from pageworker_supervisor.queue.batches import BatchJob, BatchJobPage, BatchView, ListedBatchState


class BatchAnswer(Struct, frozen=True, kw_only=True):
    """A batch. `counts`: jobs that are `waiting` or `running`, and by status of their results. `round`: rises with each
    retry of a complete batch. `reason`: why it is complete: `all_ended`, `cancelled`, `first_failure` or `deadline`.
    `jobs`: what became of each job that came with the request that opened it."""

    batch_id: str
    tenant_id: str
    state: ListedBatchState
    size: int | None
    job_count: int
    counts: dict[str, int]
    complete_on: str
    round: int
    created_at: dt.datetime | None
    deadline_at: dt.datetime | None
    completed_at: dt.datetime | None
    reason: str | None
    jobs: tuple[SubmittedAnswer, ...] | msgspec.UnsetType = msgspec.UNSET


class BatchResult(Struct, frozen=True, kw_only=True):
    """One job of a batch. `status`: of its result, null until it has ended."""

    job_id: str
    state: Literal["waiting", "running", "ended"]
    status: Status | None


class BatchResultsAnswer(Struct, frozen=True):
    """Jobs in the order in which they came. `next`: give it as `after` for the next page; null at the end."""

    results: tuple[BatchResult, ...]
    next: int | None


class BatchCancelAnswer(Struct, frozen=True, kw_only=True):
    """`cancelled`: how many jobs end as cancelled by this request."""

    batch_id: str
    tenant_id: str
    cancelled: int


class BatchRetryAnswer(Struct, frozen=True, kw_only=True):
    """`queued`: how many failed jobs run again. `left`: how many do not, because their dead letters are not kept."""

    batch_id: str
    tenant_id: str
    queued: int
    left: int


def batch_answer(view: BatchView) -> BatchAnswer:
    """A batch as the API shows it."""
    return BatchAnswer(
        batch_id=view.batch_id,
        tenant_id=view.tenant_id,
        state=view.state,
        size=view.size,
        job_count=view.job_count,
        counts=view.counts,
        complete_on=view.complete_on,
        round=view.round,
        created_at=utc_time(view.created_at_ms / 1000),
        deadline_at=utc_time(view.deadline_at_ms / 1000),
        completed_at=None if view.completed_at_ms is None else utc_time(view.completed_at_ms / 1000),
        reason=view.reason,
    )


def results_answer(page: BatchJobPage) -> BatchResultsAnswer:
    """A page of its jobs."""
    return BatchResultsAnswer(tuple(map(_result, page.jobs)), page.after)


def _result(job: BatchJob) -> BatchResult:
    state: Literal["waiting", "running", "ended"] = "ended" if job.status else "running" if job.running else "waiting"
    return BatchResult(job_id=job.job_id, state=state, status=job.status)
