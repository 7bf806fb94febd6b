"""All that Redis knows of one job: its record while it has no result, its history, its result while that is kept."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec import Struct

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.job_errors import UNREADABLE
from pageworker_supervisor.contract.job_history import HistoryLine, parse_history
from pageworker_supervisor.contract.traffic import Traffic
from pageworker_supervisor.queue.functions import Shards, unpacked
from pageworker_supervisor.queue.producer import NO_DOMAIN, PRIORITY_OF


class JobDetails(Struct, frozen=True, kw_only=True):
    """One job. Times are milliseconds since the epoch, on Redis' clock. None: not known, or it does not apply.

    `state`: of `JobState`; `ended` once it has its result. `used`: of the attempt that runs, as `AttemptUse`.
    `progress`: the newest step that its handler reported, as in the result's `steps`.
    `history`: of this job and, if it was revived from a dead letter, of its earlier lives.
    """

    job_id: str
    tenant_id: str
    state: str
    module: str | None = None
    priority: str | None = None
    profile_id: str | None = None
    domain: str | None = None
    trace_id: str | None = None
    pushed_at_ms: int | None = None
    queued_at_ms: int | None = None
    due_at_ms: int | None = None
    expires_at_ms: int | None = None
    attempts_used: int | None = None
    crashes: int | None = None
    worker: str | None = None
    token: str | None = None
    started_at_ms: int | None = None
    used: dict[str, Any] | None = None
    progress: dict[str, Any] | None = None
    cancel_requested: bool = False
    ending: str | None = None
    why: str | None = None
    """Why it waits: see `JobView.why`."""
    requests: int | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    status: str | None = None
    """Of its result."""
    history: tuple[HistoryLine, ...] = ()


async def read_details(
    shards: Shards, ref: JobRef, read_result: Callable[[JobRef], Awaitable[bytes | None]]
) -> JobDetails | None:
    """`read_result` reads the result that is kept. None: nothing is known of the job. Raises RedisClientError."""
    reply = await shards.call(shards.of(ref.tenant_id), "show_job", ref=str(ref))
    record: dict[str, Any] | None = unpacked(reply).get("record")
    body, history, timeline = reply[1:]
    # After the record: a job that ends in between would have neither.
    result = await read_result(ref)
    return details_from(ref, record, body, history if record else timeline, result)


def details_from(
    ref: JobRef, record: dict[str, Any] | None, body: bytes, history: bytes, result: bytes | None
) -> JobDetails | None:
    """From the reply of `show_job` (queue/lua/fn_inspect.lua). `history`: b"" if none is kept.

    A record counts more than a result: the job runs anew.
    """
    if record is not None:
        return _waiting(ref, record, body, history)
    if result is None and not history:
        return None
    facts = _object(result)
    usage = facts.get("usage") or {}
    return JobDetails(
        job_id=ref.job_id,
        tenant_id=ref.tenant_id,
        state="ended",
        module=facts.get("endpoint_module"),
        profile_id=facts.get("profile_id"),
        trace_id=facts.get("trace_id"),
        status=facts.get("status"),
        worker=facts.get("worker_id"),
        requests=usage.get("requests"),
        bytes_in=usage.get("bytes_in"),
        bytes_out=usage.get("bytes_out"),
        history=tuple(parse_history(history)),
    )


def _waiting(ref: JobRef, record: dict[str, Any], body: bytes, history: bytes) -> JobDetails:
    job = _object(body)
    # The attempts before this lease, and what the lease had used at the last heartbeat.
    traffic = Traffic.of_text(record.get("traffic")) + Traffic.of_text(record.get("lease_traffic"))
    domain, trace_id = record.get("domain"), job.get("trace_id")
    waits = record["state"] in ("queued", "delayed")
    return JobDetails(
        job_id=ref.job_id,
        tenant_id=ref.tenant_id,
        state=record["state"],
        module=job.get("endpoint_module") or record.get("module"),
        priority=PRIORITY_OF[record["priority"]],
        profile_id=ContextKey.parse(ref.tenant_id, record["context"]).profile_id,
        domain=None if domain == NO_DOMAIN else domain,
        trace_id=trace_id if isinstance(trace_id, str) else None,
        pushed_at_ms=_number(record.get("pushed_at")),
        queued_at_ms=_number(record.get("queued_at")),
        due_at_ms=record.get("due_at_ms"),
        expires_at_ms=_number(record.get("expires_at")),
        attempts_used=_number(record.get("attempts_used")) or 0,
        crashes=_number(record.get("crashes")) or 0,
        worker=record.get("worker"),
        token=record.get("token"),
        started_at_ms=_number(record.get("started_at")),
        used=_object(record.get("used")) or None,
        progress=_object(record.get("progress")) or None,
        cancel_requested="cancel_requested" in record,
        ending=record.get("ending"),
        why=record.get("throttled") or (record.get("defer_reason") if waits else None),
        requests=traffic.requests,
        bytes_in=traffic.bytes_in,
        bytes_out=traffic.bytes_out,
        history=tuple(parse_history(history)),
    )


def _object(untrusted_text: str | bytes | None) -> dict[str, Any]:
    try:
        return msgspec.json.decode(untrusted_text or b"{}", type=dict[str, Any])
    except UNREADABLE:
        return {}


def _number(text: str | None) -> int | None:
    return None if text is None else round(float(text))
