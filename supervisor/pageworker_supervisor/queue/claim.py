"""A claim over all shards: what a worker can take, and the leases that it gets.

Each claim begins with another shard. A claim whose reply was lost may have leased jobs that this process does not know
of. Its nonce is kept until a reply was read. The next claim repeats it and is given those jobs: otherwise they would
expire and be charged with a crash.
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from msgspec import Struct

from pageworker_sandbox.flavor import FlavorWish
from pageworker_supervisor.contract.context_key import NO_EGRESS, ContextKey
from pageworker_supervisor.contract.isolation import TENANT_ISOLATION, Isolation
from pageworker_supervisor.contract.job import JobRef, Priority
from pageworker_supervisor.contract.traffic import NO_TRAFFIC, Traffic
from pageworker_supervisor.queue.functions import Shards, unpacked
from pageworker_supervisor.queue.producer import PRIORITY_OF
from pageworker_supervisor.queue.wakeup import WakeupWaiter
from pageworker_supervisor.redis_client.errors import RedisUnavailable
from pageworker_supervisor.redis_client.router import shard_of

REPEATS = 8
"""How often a shard is asked again at once that had to stop half-way and brought nothing."""
Ending = Literal["expired", "dead", "cancelled"]
"""How a job ends that does not run (again)."""


class ContextCapacity(Struct, frozen=True):
    """A context that the worker holds warm, and how many more jobs it takes now.

    A held profile is named even when it is full. `free_pages` below 0: no runner slot may be used for it either.
    `idle`: it counts among the runner slots too, as it would be closed for another context; a job for it uses that
    slot.
    """

    context: ContextKey
    free_pages: int
    idle: bool = False
    refused: bool = False
    """It has no runner here and gets none: `free_pages` of its jobs are claimed only to be answered. None of a profile
    that another worker has open."""


class Capacity(Struct, frozen=True, kw_only=True):
    """At most `limit` jobs, in warm contexts and in new ones, for which there are `runner_slots`.

    `quiet`: neither ask other workers for profiles nor name wanted contexts.
    """

    limit: int
    contexts: Sequence[ContextCapacity] = ()
    runner_slots: int = 0
    pages_per_runner: int = 1
    one_page: frozenset[str] = frozenset()
    """Proxy policies whose runners have one page, whatever `pages_per_runner` says."""
    quiet: bool = False

    def pages_of(self, context: ContextKey) -> int:
        """Pages of a new runner of this context."""
        return 1 if context.has_one_page or context.proxy in self.one_page else self.pages_per_runner

    def request(self, shard: int, shards: int) -> list[dict[str, object]]:
        """The contexts of this shard's tenants, as `claim` in queue/lua/fn_claim.lua reads them."""
        return [
            {
                "tenant": warm.context.tenant_id,
                "context": warm.context.text,
                "free_pages": warm.free_pages,
                "idle": warm.idle,
                "refused": warm.refused,
            }
            for warm in self.contexts
            if shards == 1 or shard_of(warm.context.tenant_id, shards) == shard
        ]


def boot_seconds() -> float:
    """A clock that every process of this host shares, and that goes on while the host is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease(Struct, frozen=True, kw_only=True):
    """A claimed job. The holder of `token` owns it until the lease expires or is ended.

    With an `ending` there is nothing to run: compose the result and finish the job at once.
    """

    ref: JobRef
    profile_id: str | None
    egress: str = NO_EGRESS
    """Digest of its module's hosts when it was queued. The module may have changed since."""
    options: str = ""
    """Digest of the options of its browser context when it was queued."""
    flavor: FlavorWish = "auto"
    """Of the browser that its module asked for when it was queued."""
    proxy: str = ""
    """Its proxy policy when it was queued."""
    one_page: bool = False
    """Whether it had an egress budget when it was queued, and so needs a runner with one page."""
    isolation: Isolation = TENANT_ISOLATION
    """As its module asked for when it was queued."""
    shard: int
    token: str
    body: bytes
    attempt: int
    """Counts from 1, attempts used before the first push included."""
    crashes: int
    exclusive: bool
    """Run it alone in a runner: it was there when one died."""
    begin_before: float | None = None
    """No handler may begin later, on `boot_seconds()`; None if the job does not expire (any more)."""
    profile_fence: int | None
    ending: Ending | None
    queued_seconds: float
    """Since it could first have run this time."""
    total_seconds: float
    """Since it was first pushed."""
    page_seconds: float = 0.0
    """How long its earlier leases ran, all together."""
    traffic: Traffic = NO_TRAFFIC
    """What its earlier leases used of the network, all together."""
    attempts: tuple[bytes, ...]
    """Past attempts, each a JSON object."""
    priority: Priority

    @property
    def job_id(self) -> str:
        """Its id within its tenant."""
        return self.ref.job_id

    @property
    def tenant_id(self) -> str:
        """Its tenant."""
        return self.ref.tenant_id

    @property
    def context(self) -> ContextKey:
        """The context that it was claimed for."""
        values = self.egress, self.options, self.flavor, self.proxy, self.one_page, self.isolation
        return ContextKey(self.tenant_id, self.profile_id, *values)

    @property
    def profile_lock(self) -> tuple[str, str, int] | None:
        """`(tenant, profile, fence)` of the lock under which it runs; None without a profile."""
        if self.profile_id is None or self.profile_fence is None:
            return None
        return self.tenant_id, self.profile_id, self.profile_fence


class Claimed(Struct, frozen=True):
    """What a claim brought."""

    leases: tuple[Lease, ...] = ()
    wanted: tuple[ContextKey, ...] = ()
    """Contexts that are next in fairness and have no place on this worker. At most four per shard."""
    lost_profiles: frozenset[tuple[str, str]] = frozenset()
    """(tenant, profile) that the capacity named as warm, but whose lock the worker does not hold: close them."""


def lease_from(row: dict[str, Any], body: bytes, shard: int, asked_at: float) -> Lease:
    """One lease of a claim's reply (queue/lua/fn_claim.lua). `asked_at`: when the claim was sent, on
    `boot_seconds()`."""
    ref = JobRef.of_text(row["ref"])
    key = ContextKey.parse(ref.tenant_id, row["context"])
    ending, crashes, begins_ms = row.get("ending"), row["crashes"], row.get("begins_within_ms")
    past: str | None = row.get("past_attempts")
    return Lease(
        ref=ref,
        profile_id=key.profile_id,
        egress=key.egress,
        options=key.options,
        flavor=key.flavor,
        proxy=key.proxy,
        one_page=key.one_page,
        isolation=key.isolation,
        shard=shard,
        token=row["token"],
        body=body,
        attempt=row["attempts_used"] + 1,
        crashes=crashes,
        exclusive=crashes > 0 and not ending,
        profile_fence=row.get("fence"),
        ending=ending,
        queued_seconds=max(0, row["queued_ms"]) / 1000,
        total_seconds=max(0, row["total_ms"]) / 1000,
        page_seconds=row["page_ms"] / 1000,
        traffic=Traffic.of_text(row.get("traffic")),
        attempts=tuple(past.encode().split(b"\n")) if past else (),
        priority=PRIORITY_OF[row["priority"]],
        # Redis answered later than it was asked, so this is never too late.
        begin_before=None if begins_ms is None or ending else asked_at + begins_ms / 1000,
    )


@dataclass
class _ClaimSoFar:
    """What the shards have brought, and the capacity that is left for the others."""

    limit: int
    runner_slots: int
    leases: list[Lease]
    wanted: list[ContextKey]
    lost_profiles: set[tuple[str, str]]


class ClaimCalls:
    """Claims of this process's workers."""

    def __init__(self, shards: Shards, waiting: WakeupWaiter) -> None:
        self._shards = shards
        self._waiting = waiting
        self._first = secrets.randbelow(len(shards))
        self._unread: dict[tuple[str, int], str] = {}
        """Nonces of claims whose reply was not read, by worker and shard."""

    async def claim(self, worker_id: str, capacity: Capacity) -> Claimed:
        """The leases of all shards together never exceed the capacity, ending jobs aside.

        A shard that cannot serve now does not keep others from it. Raises RedisUnavailable if no shard brought jobs.
        """
        count = len(self._shards)
        found = _ClaimSoFar(capacity.limit, capacity.runner_slots, [], [], set())
        away: RedisUnavailable | None = None
        self._first = (self._first + 1) % count
        for step in range(count):
            try:
                await self._claim_from((self._first + step) % count, worker_id, capacity, found)
            except RedisUnavailable as error:
                away = error
        if away is not None and not found.leases:
            raise away
        if away is None:
            await self._wake_own_wait(worker_id)
        return Claimed(tuple(found.leases), tuple(found.wanted), frozenset(found.lost_profiles))

    async def _claim_from(self, shard: int, worker_id: str, capacity: Capacity, found: _ClaimSoFar) -> None:
        for _ in range(REPEATS):
            nonce = self._unread.setdefault((worker_id, shard), secrets.token_hex(6))
            asked_at = boot_seconds()
            reply = await self._shards.call(
                shard,
                "claim",
                worker=worker_id,
                nonce=nonce,
                limit=found.limit,
                runner_slots=found.runner_slots,
                pages_per_runner=capacity.pages_per_runner,
                one_page=sorted(capacity.one_page),
                quiet=capacity.quiet,
                contexts=capacity.request(shard, len(self._shards)),
            )
            del self._unread[worker_id, shard]
            head = unpacked(reply)
            if head["leases"] or head.get("look_again_ms") != 0:
                break
        leases = [lease_from(row, body, shard, asked_at) for row, body in zip(head["leases"], reply[1:], strict=True)]
        self._waiting.due(shard, head.get("look_again_ms"))
        free = self._free_contexts(shard, capacity, leases)
        has_slots = head["runner_slots"] > 0 and found.limit > len(leases)
        self._waiting.watch(worker_id, shard, free, runner_slots=has_slots)
        found.leases += leases
        found.wanted += (ContextKey.parse(each["tenant"], each["context"]) for each in head.get("wanted", ()))
        found.lost_profiles |= {(each["tenant"], each["profile"]) for each in head.get("lost_profiles", ())}
        found.limit -= sum(lease.ending is None for lease in leases)
        found.runner_slots = head["runner_slots"]

    async def _wake_own_wait(self, worker_id: str) -> None:
        try:
            await self._waiting.wake(worker_id, self._waiting.outgrown(worker_id))
        except RedisUnavailable:
            # The claimed jobs must not be lost with it. The wait itself will fail, too.
            return

    def _free_contexts(self, shard: int, capacity: Capacity, leases: list[Lease]) -> set[ContextKey]:
        """Ephemeral contexts that have free pages on this worker."""
        free: dict[ContextKey, int] = {}
        for warm in capacity.contexts:
            context = warm.context
            if context.profile_id is None and self._shards.of(context.tenant_id) == shard:
                free[context] = free.get(context, 0) + max(0, warm.free_pages)
        for lease in leases:
            if lease.profile_id is None and lease.ending is None and not lease.exclusive:
                left = free.get(lease.context, 0)
                free[lease.context] = left - 1 if left > 0 else capacity.pages_of(lease.context) - 1
        return {context for context, pages in free.items() if pages > 0}
