"""What tenants use of their limits now, from the shards that hold their jobs (queue/lua/fn_tenants.lua)."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from pageworker_supervisor.queue.functions import Shards, batches, unpacked
from pageworker_supervisor.queue.pauses import PauseView, pause_view

NAMES_PER_CALL = 200
NAMES_PER_SHARD = 5000
"""Tenants with jobs, a pause or dead letters that a page is taken from."""


class BudgetUse(Struct, frozen=True, kw_only=True):
    """One part of a tenant's budget, and what is used of it."""

    budget: str
    """Name of the setting, such as `jobs_per_day`."""
    limit: float
    used: float
    ends_ms: int
    """When the period ends, milliseconds since the epoch on Redis' clock."""


class TenantUsage(Struct, frozen=True, kw_only=True):
    """One tenant: the limits that are in force, and what it uses of them now."""

    tenant_id: str
    weight: float
    concurrency: int
    rate_per_second: float | None
    """None: no limit."""
    burst: int
    tokens: float | None
    """Jobs that may start at once; None without a rate."""
    jobs: int
    """All that have no result yet."""
    bytes: int
    """Of these jobs as JSON."""
    queued: int
    """Those that wait, and those whose result is being written."""
    delayed: int
    running: int
    ending: int
    """Waiting for a worker that writes their result."""
    running_share: float
    """The part of the fleet's running jobs that are the tenant's, and so of the page-seconds that are spent now."""
    mean_page_seconds: float | None
    """What its last leases took, on average; None: nothing is known."""
    throttled: str | None
    """Which limit keeps it from starting a further job, or why it is paused; None: nothing does."""
    pause: PauseView | None
    profiles: tuple[str, ...]
    """Its profiles that a worker has open."""
    dead_letters: int
    dead_bytes: int
    """What they take, about."""
    budgets: tuple[BudgetUse, ...]
    """What is used of each part of its budget."""


class TenantList(Struct, frozen=True):
    """Tenants by name. `more`: not all are in it."""

    tenants: tuple[TenantUsage, ...]
    more: bool


class Tenants:
    """Shows what tenants use. All methods raise RedisClientError."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def all(self, count: int, names: Sequence[str] = ()) -> TenantList:
        """Tenants with jobs, a pause or dead letters, at most `count` of each shard; and these, whatever they have."""
        replies = [
            (shard, unpacked(await self._shards.call(shard, "list_tenants", limit=count)))
            for shard in range(len(self._shards))
        ]
        found = {row["tenant"] for _, reply in replies for row in reply["tenants"]}
        replies += await self._of([name for name in dict.fromkeys(names) if name not in found])
        return await self._usage(replies)

    async def page(self, after: str, count: int, names: Sequence[str] = ()) -> TenantList:
        """At most `count` tenants whose names come after `after`: of those that `all` lists."""
        found, more = set(names), False
        for shard in range(len(self._shards)):
            reply = unpacked(await self._shards.call(shard, "list_tenants", limit=NAMES_PER_SHARD, names_only=True))
            found.update(reply["names"])
            more = more or reply["more"]
        later = sorted(name for name in found if name > after)
        usage = await self._usage(await self._of(later[:count]))
        return TenantList(usage.tenants, more or len(later) > count)

    async def show(self, tenant_id: str) -> TenantUsage:
        """One tenant, whatever it has."""
        return (await self._usage(await self._of([tenant_id]))).tenants[0]

    async def _of(self, names: Sequence[str]) -> list[tuple[int, Any]]:
        by_shard: dict[int, list[str]] = {}
        for name in names:
            by_shard.setdefault(self._shards.of(name), []).append(name)
        return [
            (shard, unpacked(await self._shards.call(shard, "list_tenants", names=batch)))
            for shard, each in by_shard.items()
            for batch in batches(each, NAMES_PER_CALL)
        ]

    async def _usage(self, replies: Sequence[tuple[int, Any]]) -> TenantList:
        claimed = {shard: reply["claimed"] for shard, reply in replies}
        for shard in set(range(len(self._shards))) - set(claimed):
            claimed[shard] = unpacked(await self._shards.call(shard, "list_tenants", names=[]))["claimed"]
        whole = sum(claimed.values())
        rows = [usage_from(row, shard, whole) for shard, reply in replies for row in reply["tenants"]]
        rows.sort(key=lambda row: row.tenant_id)
        return TenantList(tuple(rows), any(reply["more"] for _, reply in replies))


def usage_from(row: Mapping[str, Any], shard: int, running_in_all: int) -> TenantUsage:
    """One tenant of a reply of `list_tenants`."""
    weight, concurrency, rate, burst = map(float, row["limits"].split(" "))
    waits = row["jobs"] - row["running"] - row["delayed"] - row["ending"]
    mean_ms = row.get("mean_ms")
    pause = row.get("pause")
    return TenantUsage(
        tenant_id=row["tenant"],
        weight=weight,
        concurrency=int(concurrency),
        rate_per_second=rate or None,
        burst=int(burst),
        tokens=row.get("tokens"),
        jobs=row["jobs"],
        bytes=row["bytes"],
        queued=max(0, waits),
        delayed=row["delayed"],
        running=row["running"],
        ending=row["ending"],
        running_share=row["running"] / running_in_all if running_in_all else 0.0,
        mean_page_seconds=None if mean_ms is None else mean_ms / 1000,
        throttled=row.get("throttled"),
        pause=None if pause is None else pause_view(pause, shard),
        profiles=tuple(sorted(row.get("profiles") or ())),
        dead_letters=row["dead_letters"],
        dead_bytes=int(row["dead_bytes"]),
        budgets=tuple(
            BudgetUse(budget=each["name"], limit=each["limit"], used=each["used"], ends_ms=each["ends_ms"])
            for each in row.get("budgets") or ()
        ),
    )
