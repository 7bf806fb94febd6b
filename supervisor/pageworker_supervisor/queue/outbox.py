"""Promises to deliver results: taken by whoever delivers, given back later or ended.

A promise that its taker neither ends nor puts off comes back after a minute. The process that finished a job knows of
its promise at once; what others left behind is looked for every ten seconds.
"""

import asyncio
import hashlib
import math
import secrets
import time
from collections.abc import Sequence
from typing import Any

from pageworker_supervisor.contract.job_ref import JobRef
from pageworker_supervisor.queue.functions import FunctionCalls
from pageworker_supervisor.queue.options import OutboxEntry
from pageworker_supervisor.redis_client.errors import RedisUnavailable
from pageworker_supervisor.redis_client.sharding import root

LOOK_SECONDS = 10.0


class Outbox:
    """The promises of all shards."""

    def __init__(self, calls: FunctionCalls, prefix: str, shards: int, result_ttl_ms: int) -> None:
        self._calls = calls
        self._prefix = prefix
        self._roots = [root(prefix, shard) for shard in range(shards)]
        self._result_ttl_ms = result_ttl_ms
        self._fresh = False
        self._stirred = asyncio.Event()
        self._look_at = 0.0
        self._nonce = secrets.token_hex(8)

    def announce(self) -> None:
        """This process has just made a promise."""
        self._fresh = True
        self._stirred.set()

    async def take(self, count: int, block_ms: int) -> list[OutboxEntry]:
        """At most `count` promises that are due; waits for the first at most `block_ms`."""
        until = time.monotonic() + block_ms / 1000
        while True:
            self._stirred.clear()
            if self._fresh or self._look_at <= time.monotonic():
                self._fresh = False
                if taken := await self._look(count):
                    return taken
            wait = min(until, self._look_at) - time.monotonic()
            if until <= time.monotonic():
                return []
            try:
                async with asyncio.timeout(max(0.0, wait)):
                    await self._stirred.wait()
            except TimeoutError:
                continue

    async def done(self, promises: Sequence[OutboxEntry]) -> None:
        """Delivered."""
        for shard, base in enumerate(self._roots):
            ids = [promise.id for promise in promises if promise.shard == shard]
            if ids:
                await self._calls.call("outbox_done", base, *ids)

    async def later(self, promise: OutboxEntry, delay_ms: int) -> None:
        """One more try failed: due again in so long."""
        base = self._roots[promise.shard]
        await self._calls.call("outbox_later", base, promise.id, promise.token, delay_ms)
        self._look_at = min(self._look_at, time.monotonic() + delay_ms / 1000)
        self._stirred.set()

    async def failed(self, promise: OutboxEntry, event: bytes) -> None:
        """Given up: the promise goes, the event is published, the result stays readable."""
        base = self._roots[promise.shard]
        await self._calls.call("outbox_failed", base, promise.id, promise.token, promise.ref.tenant_id, event)

    async def put(self, shard: int, name: str, ref: JobRef, result: bytes) -> None:
        """Redis Cluster: write the untagged result key that the function could not."""
        key = f"{self._prefix}:result:{ref.colon_form}"
        while result:
            # Settled as the promise was: once that is ticked off, nobody writes this key again.
            await self._calls.settled_command("SET", key, result, "PX", self._result_ttl_ms, key=key)
            digest = hashlib.sha1(result, usedforsecurity=False).hexdigest()
            # The job may have another result by now: a rejected one is replaced by that of the corrected push.
            result = await self._calls.call("outbox_put", self._roots[shard], name, str(ref), digest)

    async def _look(self, count: int) -> list[OutboxEntry]:
        taken: list[OutboxEntry] = []
        soonest = LOOK_SECONDS
        away: RedisUnavailable | None = None
        # What `later` puts off while this is under way must not be forgotten at its end.
        self._look_at = math.inf
        try:
            for shard, base in enumerate(self._roots):
                if len(taken) >= count:
                    soonest = 0.0
                    break
                try:
                    due_ms = await self._look_at_shard(shard, base, count - len(taken), taken)
                except RedisUnavailable as error:
                    # What other shards gave is held here now, and is not to wait until that runs out.
                    away, soonest = error, 0.0
                else:
                    soonest = min(soonest, due_ms / 1000) if due_ms >= 0 else soonest
        finally:
            self._look_at = min(self._look_at, time.monotonic() + soonest)
        if away is not None and not taken:
            raise away
        return taken

    async def _look_at_shard(self, shard: int, base: str, count: int, taken: list[OutboxEntry]) -> int:
        """Milliseconds until the next is due there; below 0: none."""
        # What is told to the world must not be undone by a failover: this is a write, and so is what came before it.
        rows, due_ms = await self._calls.settled_call("outbox_take", base, self._nonce, count)
        for row in rows:
            if (promise := await self._promise(row, shard)) is not None:
                taken.append(promise)
        return int(due_ms)

    async def _promise(self, row: list[Any], shard: int) -> OutboxEntry | None:
        name, text, url, result, tries, age_ms, put = row
        ref = JobRef.of_text(text)
        if put == b"1":
            await self.put(shard, name.decode(), ref, result)
        if not url:
            return None
        return OutboxEntry(
            id=name.decode(),
            shard=shard,
            ref=ref,
            callback_url=url.decode(),
            result=result,
            tries=int(tries),
            since=time.monotonic() - int(age_ms) / 1000,
            token=self._nonce,
        )
