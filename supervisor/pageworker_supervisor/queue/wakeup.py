"""Sleeping until there is work: one blocked connection a worker, and no command while nothing happens.

A worker blocks on its control key, on `wake:rooms` while it has rooms, and on `wake:<tenant>/<context>` for each
ephemeral context that it holds with pages free. What it waits for follows from its last claim; should a later claim
leave it with more room, it nudges itself. Time is watched here too: a claim says when the next job, refill or lock is
due.
"""

import time
from collections.abc import Iterable, Sequence

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.queue.codec import notice_from
from pageworker_supervisor.queue.functions import FunctionCalls
from pageworker_supervisor.queue.options import Wakeup
from pageworker_supervisor.redis_client.errors import RedisClientError
from pageworker_supervisor.redis_client.fan_out import fan_out
from pageworker_supervisor.redis_client.router import Router
from pageworker_supervisor.redis_client.sharding import root

BLOCK_SECONDS = 2.0
"""Below redis-py's socket_timeout of 5 s, and short enough to notice a dead connection."""
MESSAGES = 64
SHORTEST_BLOCK = 0.001
"""0 would be for ever."""
SLACK_SECONDS = 0.05
"""A rest so short is not worth a command."""


class WakeupWaiter:
    """Where one process's workers sleep."""

    def __init__(self, router: Router, calls: FunctionCalls, prefix: str, shards: int) -> None:
        self._router = router
        self._calls = calls
        self._roots = [root(prefix, shard) for shard in range(shards)]
        self._keys: dict[str, list[list[str]]] = {}
        self._asleep: dict[str, list[list[str]]] = {}
        self._due: dict[int, float] = {}

    def watch(self, worker_id: str, shard: int, contexts: Iterable[ContextKey], *, rooms: bool) -> None:
        """What the worker can take from this shard after a claim."""
        base = self._roots[shard]
        keys = [f"{base}:control:{worker_id}"]
        if rooms:
            keys.append(f"{base}:wake:rooms")
        keys += sorted(f"{base}:wake:{context.tenant_id}/{context.text}" for context in contexts)
        self._of(worker_id)[shard] = keys

    def due(self, shard: int, in_ms: int) -> None:
        """Time brings something to this shard in so long; below 0: never."""
        self._due[shard] = time.monotonic() + in_ms / 1000 if in_ms >= 0 else float("inf")

    def outgrown(self, worker_id: str) -> list[int]:
        """Shards on which the worker sleeps now without watching all that it could take."""
        asleep = self._asleep.get(worker_id)
        if asleep is None:
            return []
        wanted = self._of(worker_id)
        return [shard for shard, keys in enumerate(asleep) if not set(wanted[shard]) <= set(keys)]

    async def nudge(self, worker_id: str, shards: Sequence[int]) -> None:
        """Wake this worker to look at its keys again."""
        for shard in shards:
            await self._calls.call("nudge", self._roots[shard], worker_id)

    async def wait(self, worker_id: str, timeout_seconds: float) -> Wakeup:
        """Block until there may be work, a message, or the time is up. Raises Unavailable."""
        until = time.monotonic() + timeout_seconds
        slept = False
        while True:
            now = time.monotonic()
            due = min(self._due.values(), default=float("inf"))
            if due <= now:
                self._due = {shard: at for shard, at in self._due.items() if at > now}
                return Wakeup(work=True)
            if until <= now + (SLACK_SECONDS if slept else 0.0):
                return Wakeup()
            messages = await self._sleep(worker_id, max(SHORTEST_BLOCK, min(BLOCK_SECONDS, until - now, due - now)))
            slept = True
            notices = tuple(notice for message in messages if (notice := notice_from(message)) is not None)
            if notices or b"work" in messages:
                return Wakeup(work=b"work" in messages, control=notices)

    async def _sleep(self, worker_id: str, seconds: float) -> list[bytes]:
        keys = [list(keys) for keys in self._of(worker_id)]
        self._asleep[worker_id] = keys
        try:
            if not self._calls.cluster:
                return await self._block([key for shard in keys for key in shard], seconds, self._roots[0])
            return await self._block_everywhere(worker_id, keys, seconds)
        finally:
            self._asleep.pop(worker_id, None)

    async def _block_everywhere(self, worker_id: str, keys: list[list[str]], seconds: float) -> list[bytes]:
        """Shards are on different nodes: one blocked connection each. The first to hear something ends the others."""
        heard: list[bytes] = []

        async def on(shard: int) -> None:
            messages = await self._block(keys[shard], seconds, self._roots[shard])
            first = bool(messages) and not heard
            heard.extend(messages)
            if first:
                await self.nudge(worker_id, [other for other in range(len(keys)) if other != shard])

        try:
            await fan_out(on(shard) for shard in range(len(keys)))
        except RedisClientError:
            # What was heard is taken from Redis already; what failed will fail again at the next call.
            if not heard:
                raise
        return heard

    async def _block(self, keys: list[str], seconds: float, base: str) -> list[bytes]:
        # Sent once: what a lost reply named is taken from Redis already, and the next claim finds the work itself.
        options = ("LEFT", "COUNT", MESSAGES)
        reply = await self._router.send("BLMPOP", seconds, len(keys), *keys, *options, key=base, blocks=True)
        return list(reply[1]) if reply else []

    def _of(self, worker_id: str) -> list[list[str]]:
        if worker_id not in self._keys:
            self._keys[worker_id] = [[f"{base}:control:{worker_id}", f"{base}:wake:rooms"] for base in self._roots]
        return self._keys[worker_id]
