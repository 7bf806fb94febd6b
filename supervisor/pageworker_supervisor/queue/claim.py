"""A claim over all shards; each claim begins with another shard.

A claim whose reply was lost may have leased jobs that this process does not know of. Its nonce is kept until a reply
was read. The next claim repeats it and is given those jobs: otherwise they would expire and be charged with a crash.
"""

import secrets
from dataclasses import dataclass

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.queue.capacity import Capacity
from pageworker_supervisor.queue.lease import Claimed, Lease, boot_seconds, lease_from
from pageworker_supervisor.queue.messagepack import unpacked
from pageworker_supervisor.queue.shards import Shards
from pageworker_supervisor.queue.wakeup import WakeupWaiter
from pageworker_supervisor.redis_client.errors import RedisUnavailable

REPEATS = 8
"""How often a shard is asked again at once that had to stop half-way and brought nothing."""


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

        A shard that cannot serve now does not keep others from it. Raises RedisUnavailable where no shard brought jobs.
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
                free[lease.context] = left - 1 if left > 0 else capacity.pages_per_runner - 1
        return {context for context, pages in free.items() if pages > 0}
