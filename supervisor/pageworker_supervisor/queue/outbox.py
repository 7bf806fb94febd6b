"""The outbox: promises to deliver results. A worker takes an entry, delivers its result, and ends or postpones it.

An entry comes back after a minute if its taker has neither ended nor postponed it. The process that finished a job
knows of its entry at once; entries that other processes left behind are looked for every ten seconds.
"""

import asyncio
import hashlib
import math
import secrets
import time
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from pageworker_supervisor.config.live import Live
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.functions import Shards, opaque, unpacked
from pageworker_supervisor.queue.options import QueueOptions
from pageworker_supervisor.redis_client.errors import RedisUnavailable

LOOK_SECONDS = 10.0
BATCH = "batch:"
"""How the name of an entry of a batch begins. Other names are digests and tokens."""


class OutboxEntry(Struct, frozen=True, kw_only=True):
    """A result, or the completion of a batch, that must still be delivered. Held by its taker for the outbox lease."""

    id: str
    shard: int
    ref: JobRef
    callback_url: str | None
    result: bytes
    tries: int
    """Tries so far, this one not counted."""
    since: float
    """When it was made, on the clock of `time.monotonic()`."""
    token: str
    trace: str | None = None
    """`traceparent` of the producer, if it gave one."""
    subscription: str | None = None
    """The subscription that gets it. None: it is the callback of the job."""

    @property
    def is_batch(self) -> bool:
        """Whether this is the completion of a batch; `ref` is then the batch's. As in queue/lua/batch.lua."""
        return self.id.startswith(BATCH)

    @property
    def idempotency_key(self) -> str:
        """The same for each try: `acme:17` of a job; `acme:batch:nightly` of a batch, with `#2` in its second round."""
        if not self.is_batch:
            return self.ref.colon_form
        number = self.id.rpartition("#")[2]
        return f"{self.ref.tenant_id}:{BATCH}{self.ref.job_id}" + ("" if number == "1" else f"#{number}")


class Outbox:
    """The outbox entries of all shards. All methods raise RedisClientError."""

    def __init__(self, shards: Shards, options: Live[QueueOptions]) -> None:
        self._shards = shards
        self._options = options
        self._announced = False
        self._changed = asyncio.Event()
        self._look_at = 0.0
        self._nonce = secrets.token_hex(8)

    def announce(self) -> None:
        """This process has just made an entry."""
        self._announced = True
        self._changed.set()

    async def deliver_stored(self, shard: int, name: str, ref: JobRef, result: bytes, callback: str | None) -> None:
        """A function has stored this result, with an outbox entry of this name if one was needed."""
        if self._shards.functions.cluster:
            await self.put_result(shard, name, ref, result)
        if callback:
            self.announce()

    async def take(self, count: int, block_ms: int) -> list[OutboxEntry]:
        """At most `count` entries that are due; waits for the first at most `block_ms`."""
        until = time.monotonic() + block_ms / 1000
        while True:
            self._changed.clear()
            if self._announced or self._look_at <= time.monotonic():
                self._announced = False
                if taken := await self._look(count):
                    return taken
            wait = min(until, self._look_at) - time.monotonic()
            if until <= time.monotonic():
                return []
            try:
                async with asyncio.timeout(max(0.0, wait)):
                    await self._changed.wait()
            except TimeoutError:
                continue

    # `facts`: JSON of how the try went, for the job's history.

    async def done(self, entries: Sequence[OutboxEntry], facts: Sequence[bytes] = ()) -> None:
        """Delivered. `facts`: of each entry, or nothing."""
        for shard in range(len(self._shards)):
            here = [number for number, entry in enumerate(entries) if entry.shard == shard]
            if here:
                more = {"facts": [opaque(facts[number]) for number in here]} if facts else {}
                await self._shards.call(shard, "outbox_done", names=[entries[number].id for number in here], **more)

    async def later(
        self, entry: OutboxEntry, delay_ms: int, facts: bytes | None = None, *, failed: bool = False
    ) -> None:
        """The entry is due again in `delay_ms` milliseconds. `failed`: its receiver was tried in vain."""
        more: dict[str, object] = {} if facts is None else {"facts": opaque(facts)}
        if failed:
            more["failed"] = True
        await self._shards.call(
            entry.shard, "outbox_later", name=entry.id, nonce=entry.token, delay_ms=delay_ms, **more
        )
        self._look_at = min(self._look_at, time.monotonic() + delay_ms / 1000)
        self._changed.set()

    async def failed(self, entry: OutboxEntry, event: bytes, facts: bytes | None = None, *, gone: bool = False) -> None:
        """Given up: the entry goes, the event is published, the result stays readable. `gone`: its receiver wants no
        more, and its subscription ends."""
        await self._shards.call(
            entry.shard,
            "outbox_failed",
            name=entry.id,
            nonce=entry.token,
            tenant=entry.ref.tenant_id,
            event=opaque(event),
            **({} if facts is None else {"facts": opaque(facts)}),
            **({"gone": True} if gone else {}),
        )

    async def put_result(self, shard: int, name: str, ref: JobRef, result: bytes) -> None:
        """Redis Cluster: write the result's key, which has no hash tag, so that no function can write it."""
        key = f"{self._shards.prefix}:result:{ref.colon_form}"
        while result:
            # Settled, as the entry was: once that has ended, this key is not written again.
            ttl_ms = self._options.value.result_ttl_seconds * 1000
            await self._shards.functions.settled_command("SET", key, result, "PX", ttl_ms, key=key)
            digest = hashlib.sha1(result, usedforsecurity=False).hexdigest()
            # The job may have another result by now: a rejected one is replaced by that of the corrected push.
            result = await self._shards.call(shard, "outbox_put", name=name, ref=str(ref), sha1=digest)

    async def _look(self, count: int) -> list[OutboxEntry]:
        taken: list[OutboxEntry] = []
        soonest = LOOK_SECONDS
        away: RedisUnavailable | None = None
        # What `later` puts off meanwhile must not be forgotten at the end.
        self._look_at = math.inf
        try:
            for shard in range(len(self._shards)):
                if len(taken) >= count:
                    soonest = 0.0
                    break
                try:
                    due_ms = await self._take_from(shard, count - len(taken), taken)
                except RedisUnavailable as error:
                    # Entries of other shards are held here now, and must not wait until that lease expires.
                    away, soonest = error, 0.0
                else:
                    soonest = min(soonest, due_ms / 1000) if due_ms is not None else soonest
        finally:
            self._look_at = min(self._look_at, time.monotonic() + soonest)
        if away is not None and not taken:
            raise away
        return taken

    async def _take_from(self, shard: int, count: int, taken: list[OutboxEntry]) -> int | None:
        """Milliseconds until the next entry is due there; None: there is none."""
        # Settled: a failover must not undo a result that was delivered. This is a write, and so covers those before it.
        reply = await self._shards.settled_call(shard, "outbox_take", nonce=self._nonce, limit=count)
        head = unpacked(reply)
        for row, result in zip(head["entries"], reply[1:], strict=True):
            if (entry := await self._entry(row, result, shard)) is not None:
                taken.append(entry)
        due_ms: int | None = head.get("next_due_ms")
        return due_ms

    async def _entry(self, row: dict[str, Any], result: bytes, shard: int) -> OutboxEntry | None:
        ref = JobRef.of_text(row["ref"])
        if row["put_result"]:
            await self.put_result(shard, row["name"], ref, result)
        url = row.get("callback_url")
        if url is None:
            return None
        return OutboxEntry(
            id=row["name"],
            shard=shard,
            ref=ref,
            callback_url=url,
            result=result,
            tries=row["tries"],
            since=time.monotonic() - row["age_ms"] / 1000,
            token=self._nonce,
            trace=row.get("trace"),
            subscription=row.get("subscription"),
        )
