"""A claim over all shards, beginning at another one each time.

A claim whose reply was lost may have leased jobs that nobody here knows of. Its nonce is kept until a reply has been
seen: the next claim repeats it and is given those jobs, or else they would run out and be charged with a crash.
"""

import secrets

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.queue.codec import capacity_args, lease_from, wanted_from
from pageworker_supervisor.queue.functions import FunctionCalls
from pageworker_supervisor.queue.options import Capacity, Claimed, Lease, WantedContext, boot_seconds
from pageworker_supervisor.queue.wakeup import WakeupWaiter
from pageworker_supervisor.redis_client.errors import RedisUnavailable
from pageworker_supervisor.redis_client.sharding import shard_of

STEPS = 8
"""How often a shard is asked again at once that had to stop half-way and brought nothing."""


class ClaimCalls:
    """Claims of this process's workers."""

    def __init__(self, calls: FunctionCalls, waiting: WakeupWaiter, roots: list[str]) -> None:
        self._calls = calls
        self._waiting = waiting
        self._roots = roots
        self._first = secrets.randbelow(len(roots))
        self._unheard: dict[tuple[str, int], str] = {}

    async def claim(self, worker_id: str, capacity: Capacity) -> Claimed:
        """The leases of all shards together never exceed the capacity, verdicts aside.

        A shard that cannot serve now does not keep others from it; it is Unavailable where none brought anything.
        """
        shards = len(self._roots)
        leases: list[Lease] = []
        wanted: list[WantedContext] = []
        lost: set[tuple[str, str]] = set()
        limit, rooms = capacity.limit, capacity.runner_slots
        away: RedisUnavailable | None = None
        self._first = (self._first + 1) % shards
        for step in range(shards):
            shard = (self._first + step) % shards
            try:
                brought, named, gone, rooms = await self._from(shard, worker_id, capacity, limit, rooms)
            except RedisUnavailable as error:
                away = error
                continue
            leases += brought
            wanted += named
            lost |= gone
            limit -= sum(lease.verdict is None for lease in brought)
        if away is not None and not leases:
            raise away
        if away is None:
            await self._nudge(worker_id)
        return Claimed(tuple(leases), tuple(wanted), frozenset(lost))

    async def _from(
        self, shard: int, worker_id: str, capacity: Capacity, limit: int, rooms: int
    ) -> tuple[list[Lease], list[WantedContext], set[tuple[str, str]], int]:
        for _ in range(STEPS):
            nonce = self._unheard.setdefault((worker_id, shard), secrets.token_hex(6))
            asked_at = boot_seconds()
            args = capacity_args(worker_id, nonce, capacity, limit, rooms, shard, len(self._roots))
            rows, names, soon, gone, rooms_left = await self._calls.call("claim", self._roots[shard], *args)
            del self._unheard[worker_id, shard]
            if rows or soon != 0:
                break
        leases = [lease_from(row, shard, asked_at) for row in rows]
        self._waiting.due(shard, soon)
        free = self._free_contexts(shard, capacity, leases)
        self._waiting.watch(worker_id, shard, free, rooms=rooms_left > 0 and limit > len(leases))
        lost = {(tenant.decode(), profile.decode()) for tenant, profile in gone}
        return leases, [wanted_from(name) for name in names], lost, rooms_left

    async def _nudge(self, worker_id: str) -> None:
        try:
            await self._waiting.nudge(worker_id, self._waiting.outgrown(worker_id))
        except RedisUnavailable:
            # What was claimed must not be lost with it. Whoever sleeps hears of the trouble himself.
            return

    def _free_contexts(self, shard: int, capacity: Capacity, leases: list[Lease]) -> set[ContextKey]:
        """Ephemeral contexts that have pages left here."""
        free: dict[ContextKey, int] = {}
        for room in capacity.contexts:
            context = room.context
            if context.profile_id is None and shard_of(context.tenant_id, len(self._roots)) == shard:
                free[context] = free.get(context, 0) + max(0, room.free_pages)
        for lease in leases:
            if lease.profile_id is None and lease.verdict is None and not lease.exclusive:
                left = free.get(lease.context, 0)
                free[lease.context] = left - 1 if left > 0 else capacity.pages_per_room - 1
        return {context for context, pages in free.items() if pages > 0}
