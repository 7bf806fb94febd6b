"""The bodies that the API answers with. Field names are those of docs/jobs.md. Pure."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct

from pageworker_supervisor.api.problem import ProblemDocument
from pageworker_supervisor.contract.job_history import HistoryLine
from pageworker_supervisor.contract.utc_time import utc_time
from pageworker_supervisor.files.stored_file import StoredFile
from pageworker_supervisor.queue.job_details import JobDetails
from pageworker_supervisor.queue.usage import UsageHour
from pageworker_supervisor.queue.views import CancelReply

SubmitStatus = Literal["queued", "known", "rejected"]
"""`known`: the same job, which waits, runs or has ended. `rejected`: see `problem`. Nothing of the job is stored."""


class SubmittedAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one submitted job. `job_id` and `tenant_id` of a rejected job: as far as they can be read."""

    job_id: str | None = None
    tenant_id: str | None = None
    status: SubmitStatus
    problem: ProblemDocument | None = None


class SubmittedList(Struct, frozen=True):
    """What became of the jobs of one request, in their order."""

    jobs: tuple[SubmittedAnswer, ...]


class JobAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a job is. `state`: `queued`, `delayed`, `running`, `storing`, `ending`, `finishing` or `ended`. `status`:
    of the result, once the job has ended and while its result is kept. `why`: why it waits."""

    job_id: str
    tenant_id: str
    state: str
    status: str | None = None
    endpoint_module: str | None = None
    priority: str | None = None
    profile_id: str | None = None
    domain: str | None = None
    trace_id: str | None = None
    pushed_at: dt.datetime | None = None
    due_at: dt.datetime | None = None
    expires_at: dt.datetime | None = None
    started_at: dt.datetime | None = None
    attempts_used: int | None = None
    crashes: int | None = None
    cancel_requested: bool = False
    why: str | None = None


class TimelineEntry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened to a job. `event`: as in docs/operations.md. What the attempt used stands with the event
    that ended it. `dropped`: how many entries are not kept in this place. `reason`: why the job was put off, or how a
    callback failed."""

    event: str
    at: dt.datetime | None = None
    attempt: int | None = None
    worker_id: str | None = None
    module_version: str | None = None
    proxy: str | None = None
    outcome: str | None = None
    error: str | None = None
    reason: str | None = None
    http_status: int | None = None
    dropped: int = 0


class TimelineAnswer(Struct, frozen=True):
    """What happened to a job, the oldest first."""

    job_id: str
    tenant_id: str
    timeline: tuple[TimelineEntry, ...]


class RequestLimit(Struct, frozen=True, kw_only=True):
    """Requests of this token."""

    per_second: float
    burst: int
    left: int


class BudgetEntry(Struct, frozen=True, kw_only=True):
    """One part of the budget of a tenant, such as `jobs_per_day`, and what is used of it. `resets_at`: when the day or
    month ends."""

    budget: str
    limit: float
    used: float
    resets_at: dt.datetime


class LimitsAnswer(Struct, frozen=True, kw_only=True):
    """The limits of a tenant, and what it uses of them now. `jobs` and `bytes`: all jobs without a result. `tokens`:
    jobs that may start at once; null without a rate. `throttled`: which limit or pause keeps it from starting a further
    job. `paused_until`: null also for a pause without end."""

    tenant_id: str
    weight: float
    concurrency: int
    running: int
    rate_per_second: float | None
    burst: int
    tokens: float | None
    backlog_jobs: int
    jobs: int
    backlog_bytes: int
    bytes: int
    queued: int
    delayed: int
    throttled: str | None
    paused: bool
    paused_until: dt.datetime | None
    budgets: tuple[BudgetEntry, ...]
    requests: RequestLimit


class UsageEntry(Struct, frozen=True, kw_only=True):
    """What the jobs used that ended in one hour, all attempts together. `hour`: its start. `jobs`: number by status of
    the result; only those that occurred."""

    hour: dt.datetime
    page_seconds: float
    requests: int
    bytes_in: int
    bytes_out: int
    jobs: dict[str, int]


class UsageAnswer(Struct, frozen=True):
    """The hours in which jobs of a tenant ended, the oldest first."""

    tenant_id: str
    hours: tuple[UsageEntry, ...]


class ModuleAnswer(Struct, frozen=True, kw_only=True):
    """A module as a job of the tenant gets it that pins no version.

    `input`: the JSON Schema of the payload. `output`: that of the result's `data`; null: any object.
    `timeout_seconds`: of an attempt, if the job sets none.
    """

    name: str
    version: str
    description: str
    input: dict[str, Any]
    output: dict[str, Any] | None
    timeout_seconds: float | None


class ModuleList(Struct, frozen=True):
    """Modules by name. `next`: give it as `after` for the next page; null at the end."""

    modules: tuple[ModuleAnswer, ...]
    next: str | None


class CancelAnswer(Struct, frozen=True, kw_only=True):
    """`cancelled`: the job does not run. `cancelling`: a worker stops it, or, if `known` is false, the queue does not
    know the job, and cancels it should it come."""

    job_id: str
    tenant_id: str
    outcome: Literal["cancelled", "cancelling"]
    known: bool


class FileAnswer(Struct, frozen=True, kw_only=True):
    """An uploaded file. `sha256`: in hex. `bytes`: its size. It is deleted at `expires_at`."""

    file_id: str
    tenant_id: str
    name: str
    sha256: str
    bytes: int
    content_type: str
    expires_at: dt.datetime


class WhoAmIAnswer(Struct, frozen=True, kw_only=True):
    """What the token permits. `tenant_id` null: jobs of all tenants. `expires_at`: RFC 3339, null for never."""

    token_id: str
    tenant_id: str | None
    scopes: tuple[str, ...]
    expires_at: dt.datetime | None


def job_answer(details: JobDetails) -> JobAnswer:
    """A job as the API shows it: without worker and fencing token."""
    return JobAnswer(
        job_id=details.job_id,
        tenant_id=details.tenant_id,
        state=details.state,
        status=details.status,
        endpoint_module=details.module,
        priority=details.priority,
        profile_id=details.profile_id,
        domain=details.domain,
        trace_id=details.trace_id,
        pushed_at=_instant(details.pushed_at_ms),
        due_at=_instant(details.due_at_ms),
        expires_at=_instant(details.expires_at_ms),
        started_at=_instant(details.started_at_ms),
        attempts_used=details.attempts_used,
        crashes=details.crashes,
        cancel_requested=details.cancel_requested,
        why=details.why,
    )


def cancel_answer(job_id: str, tenant_id: str, reply: CancelReply) -> CancelAnswer | None:
    """None: the reply is no success."""
    if reply not in ("cancelled", "cancelling", "awaited"):
        return None
    outcome: Literal["cancelled", "cancelling"] = "cancelled" if reply == "cancelled" else "cancelling"
    return CancelAnswer(job_id=job_id, tenant_id=tenant_id, outcome=outcome, known=reply != "awaited")


def timeline_answer(details: JobDetails) -> TimelineAnswer:
    """The history of a job, without fencing tokens and names of secrets."""
    return TimelineAnswer(details.job_id, details.tenant_id, tuple(map(_entry, details.history)))


def file_answer(file: StoredFile) -> FileAnswer:
    """An upload as the API shows it."""
    return FileAnswer(
        file_id=file.file_id,
        tenant_id=file.tenant_id,
        name=file.name,
        sha256=file.sha256,
        bytes=file.bytes,
        content_type=file.content_type,
        expires_at=dt.datetime.fromtimestamp(file.expires_at, dt.UTC),
    )


def usage_answer(tenant_id: str, hours: Sequence[UsageHour]) -> UsageAnswer:
    """The hours as the API shows them."""
    return UsageAnswer(tenant_id, tuple(map(_usage_entry, hours)))


def _usage_entry(row: UsageHour) -> UsageEntry:
    return UsageEntry(
        hour=dt.datetime.fromtimestamp(row.hour, dt.UTC),
        page_seconds=row.page_seconds,
        requests=row.requests,
        bytes_in=row.bytes_in,
        bytes_out=row.bytes_out,
        jobs=row.jobs,
    )


def _entry(line: HistoryLine) -> TimelineEntry:
    facts = line.facts
    used = facts.get("used")
    used = used if isinstance(used, dict) else {}
    return TimelineEntry(
        event=line.event,
        at=line.at,
        attempt=_whole(used.get("attempt")),
        worker_id=_text(facts.get("worker")),
        module_version=_text(used.get("module_version")),
        proxy=_text(used.get("proxy")),
        outcome=_text(used.get("outcome")),
        error=_text(used.get("error")),
        reason=_text(facts.get("reason")),
        http_status=_whole(facts.get("status")),
        dropped=line.dropped,
    )


def _text(untrusted: object) -> str | None:
    return untrusted if isinstance(untrusted, str) and untrusted else None


def _whole(untrusted: object) -> int | None:
    return untrusted if isinstance(untrusted, int) else None


def _instant(ms: int | None) -> dt.datetime | None:
    return None if ms is None else utc_time(ms / 1000)
