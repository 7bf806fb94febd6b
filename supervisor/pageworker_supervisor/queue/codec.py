"""Between our types and the flat lists that functions take and give."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from pageworker_supervisor.contract.context_key import ContextKey, parse_context
from pageworker_supervisor.contract.job_ref import JobRef
from pageworker_supervisor.queue.options import (
    AskNotice,
    CancelNotice,
    Capacity,
    FinishRequest,
    JobView,
    Lease,
    NewJob,
    Notice,
    Priority,
    QuotaLimits,
    ShardStats,
    TenantStats,
    WantedContext,
)
from pageworker_supervisor.redis_client.sharding import shard_of

Argument = str | bytes | int | float

LETTER_OF: dict[Priority, str] = {"high": "h", "normal": "m", "low": "l"}
PRIORITY_OF: dict[bytes, Priority] = {b"h": "high", b"m": "normal", b"l": "low"}
NO_DOMAIN = "-"
REFUSED = 2
"""In the place of `idle`."""


def limits_text(limits: QuotaLimits) -> str:
    """Weight, concurrency, rate (0: none), burst."""
    return f"{limits.weight:g} {limits.concurrency} {limits.rate_per_second or 0:g} {limits.burst}"


def share_of(limits: QuotaLimits, shards: int) -> QuotaLimits:
    """A domain's limits on one of several shards. The sum is never above the whole, unless shards outnumber it."""
    if shards == 1:
        return limits
    rate = limits.rate_per_second
    return QuotaLimits(
        weight=limits.weight,
        concurrency=max(1, limits.concurrency // shards),
        rate_per_second=None if rate is None else rate / shards,
        burst=max(1, limits.burst // shards),
    )


def push_text(text: bytes, reading: str) -> str:
    """A push, as the functions know it. `reading` is '' where the text may have been read before."""
    return f"{hashlib.blake2b(text, digest_size=12).hexdigest()}:{reading}"


def whole_of(text: bytes, kept_bytes: int) -> dict[str, Any]:
    """How a text was before it was cut; nothing where it was not."""
    if len(text) <= kept_bytes:
        return {}
    return {"text": {"bytes": len(text), "kept_bytes": kept_bytes, "sha256": hashlib.sha256(text).hexdigest()}}


def ticket_args(ticket: NewJob, shards: int, reading: str) -> tuple[Argument, ...]:
    """One job, as `enqueue` reads it."""
    return (
        str(ticket.ref),
        ticket.tenant_id,
        LETTER_OF[ticket.priority],
        ContextKey(ticket.tenant_id, ticket.profile_id, ticket.egress).text,
        ticket.domain or NO_DOMAIN,
        "" if ticket.delay_ms is None else ticket.delay_ms,
        "" if ticket.not_before_ms is None else ticket.not_before_ms,
        "" if ticket.expires_at_ms is None else ticket.expires_at_ms,
        ticket.attempts_used,
        limits_text(ticket.tenant_limits),
        limits_text(share_of(ticket.domain_limits, shards)),
        ticket.body,
        push_text(ticket.body, reading),
        ticket.callback or "",
        ticket.waited_ms,
    )


def capacity_args(
    worker_id: str, nonce: str, capacity: Capacity, limit: int, rooms: int, shard: int, shards: int
) -> Iterable[Argument]:
    """What the worker can take from this shard, as `claim` reads it."""
    yield from (worker_id, nonce, limit, rooms, capacity.pages_per_room, int(capacity.quiet))
    for room in capacity.contexts:
        tenant_id = room.context.tenant_id
        if shards == 1 or shard_of(tenant_id, shards) == shard:
            kind = REFUSED if room.refused else int(room.idle)
            yield from (tenant_id, room.context.text, room.free_pages, kind)


def lease_from(row: Sequence[Any], shard: int, asked_at: float) -> Lease:
    """One row of a claim's reply. `asked_at`: when the claim was sent, on `boot_seconds()`."""
    text, context, token, body, attempts, crashes, fence, verdict, queued, total, past, priority, begins = row
    ref = JobRef.of_text(text)
    key, _ = parse_context(ref.tenant_id, context.decode())
    return Lease(
        ref=ref,
        profile_id=key.profile_id,
        egress=key.egress,
        shard=shard,
        token=token.decode(),
        body=body,
        attempt=attempts + 1,
        crashes=crashes,
        exclusive=crashes > 0 and not verdict,
        profile_fence=int(fence) if fence else None,
        verdict=verdict.decode() or None,
        queued_seconds=max(0, queued) / 1000,
        total_seconds=max(0, total) / 1000,
        attempts=tuple(past.split(b"\n")) if past else (),
        priority=PRIORITY_OF[priority],
        # Redis answered later than it was asked, so this is never too late.
        begin_before=None if begins == b"" or verdict else asked_at + begins / 1000,
    )


def wanted_from(row: Sequence[bytes]) -> WantedContext:
    """A wanted context."""
    key, solo = parse_context(row[0].decode(), row[1].decode())
    return WantedContext(key, solo)


def ending_args(lease: Lease, ending: FinishRequest) -> tuple[Argument, ...]:
    """One end, as `finish` reads it."""
    return (
        str(lease.ref),
        lease.token,
        ending.status,
        ending.result,
        ending.callback or "",
        ending.dead_letter or b"",
        len(ending.events),
        *ending.events,
    )


def notice_from(message: bytes) -> Notice | None:
    """A control message. None for those that only wake."""
    word, *rest = message.decode().split(" ")
    match word, rest:
        case "cancel", [ref, token]:
            return CancelNotice(JobRef.of_text(ref.encode()), token)
        case "ask", [tenant, profile, fence]:
            return AskNotice(tenant, profile, int(fence))
        case _:
            return None


def view_from(row: Sequence[Any]) -> JobView:
    """One row of a listing."""
    text, context, domain, priority, state, worker, crashes, attempts, due, age, why = row
    ref = JobRef.of_text(text)
    return JobView(
        job_id=ref.job_id,
        tenant_id=ref.tenant_id,
        profile_id=parse_context(ref.tenant_id, context.decode())[0].profile_id,
        domain=None if domain == b"-" else domain.decode(),
        priority=PRIORITY_OF[priority],
        state=state.decode(),
        worker_id=worker.decode() or None,
        crashes=crashes,
        attempts_used=attempts,
        due_at_ms=int(float(due)) if due else None,
        age_seconds=age / 1000,
        why=why.decode() or None,
    )


def stats_from(row: Sequence[Any], shard: int) -> ShardStats:
    """One shard's numbers."""
    jobs, delayed, running, verdicts, active, parked, held, promises, dead, workers, tenants = row
    return ShardStats(
        shard=shard,
        queued=int(jobs) - delayed - running - verdicts,
        delayed=delayed,
        running=running,
        verdicts=verdicts,
        active_tenants=active,
        parked_tenants=parked,
        profiles_held=held,
        promises=promises,
        dead_letters=dead,
        workers=workers,
        tenants=tuple(
            TenantStats(tenant_id=name.decode(), jobs=count, running=runs, parked=bool(is_parked))
            for name, count, runs, is_parked in tenants
        ),
    )
