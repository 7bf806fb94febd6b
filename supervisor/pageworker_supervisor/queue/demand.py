"""What of a shard's jobs a further worker could start, and what else waits there (queue/lua/fn_demand.lua)."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace


class ShardDemand(Struct, frozen=True, kw_only=True):
    """One reading of one shard. Ages are milliseconds; None: there is nothing of that kind."""

    at_ms: int
    """On Redis' clock."""
    jobs: int
    """All that have no result yet."""
    delayed: int
    claimed: int
    ending: int
    claims: int
    """Jobs that were ever claimed."""
    due: int
    """Delayed jobs that come due within the horizon."""
    leases_expired: int
    dead_letters: int
    outbox: int
    outbox_due: int
    """Callbacks that are due within the horizon."""
    other: int
    """Expired jobs that are not ended yet, and expired profile locks that jobs wait for: a worker sees to both."""
    workers: int
    oldest_claim_ms: int | None = None
    """Since the claim of the job that has run longest."""
    oldest_due_ms: int | None = None
    """Since the delayed job that is due first has been due."""
    oldest_outbox_ms: int | None = None
    """Since the callback that is due first was stored."""
    heartbeat_ms: int | None = None
    """Of the worker that was silent longest."""
    backlogs: int
    looked: int
    """Backlogs that this reading looked at; what follows is of these."""
    position: str
    """To go on with; "": there is no more."""
    queued: int
    runnable: int
    """Jobs that a further worker could start, if the limits of the fleet permit."""
    known: int
    """How many of them belong to tenants whose leases have a known mean time."""
    known_ms: float
    """Sum of these times."""
    slots: int
    """Runner slots that they take."""
    oldest_ms: int | None = None
    oldest_runnable_ms: int | None = None
    throttled: dict[str, int]
    """Number of tenants with jobs that wait for a limit, by limit: `tenant_rate`, `domain_concurrency`, …"""
    fleet_spare: int | None = None
    """Jobs that the fleet's limits permit within the horizon."""
    fleet_reason: str | None = None


def demand_from(row: dict[str, Any]) -> ShardDemand:
    """One reply of `demand`. Raises msgspec.ValidationError if it is none."""
    # Lua has no empty map: it comes as an empty list.
    return msgspec.convert({**row, "throttled": row["throttled"] or {}}, ShardDemand)


def sum_of(parts: Sequence[ShardDemand]) -> ShardDemand:
    """The parts of one shard that calls looked at, one after the other."""
    if len(parts) == 1:
        return parts[0]
    throttled: dict[str, int] = {}
    for part in parts:
        for reason, tenants in part.throttled.items():
            throttled[reason] = throttled.get(reason, 0) + tenants

    def oldest(ages: list[int | None]) -> int | None:
        return max((age for age in ages if age is not None), default=None)

    return replace(
        parts[-1],
        looked=sum(part.looked for part in parts),
        queued=sum(part.queued for part in parts),
        runnable=sum(part.runnable for part in parts),
        known=sum(part.known for part in parts),
        known_ms=sum(part.known_ms for part in parts),
        slots=sum(part.slots for part in parts),
        oldest_ms=oldest([part.oldest_ms for part in parts]),
        oldest_runnable_ms=oldest([part.oldest_runnable_ms for part in parts]),
        throttled=throttled,
    )
