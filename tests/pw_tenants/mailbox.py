"""All results and events of all tenants, in the order in which they came."""

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from typing import Any

from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.redis_client.errors import RedisUnavailable
from pageworker_supervisor.redis_client.router import root

BLOCK_MS = 1000


class Mailbox:
    """Results by job, from the streams; and by tenant what its two channels say."""

    def __init__(self) -> None:
        self.results: defaultdict[JobRef, list[dict[str, Any]]] = defaultdict(list)
        self.events: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self.announced: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        """What came on `pw:results:<tenant>`."""
        self._news = asyncio.Condition()

    async def until(self, holds: Any, seconds: float, what: str) -> None:
        """Wait until the condition holds. Raises AssertionError after the time limit."""
        try:
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(holds)
        except TimeoutError:
            raise AssertionError(f"{what}: not within {seconds:g} s; there is {dict(self.results)}") from None

    @contextlib.asynccontextmanager
    async def open(
        self, redis_client: RedisClient, prefix: str, shards: int, tenants: Iterable[str]
    ) -> AsyncIterator[None]:
        """Collect for the block."""
        ready = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            reading = [
                tasks.create_task(self._read(redis_client, f"{root(prefix, shard)}:results")) for shard in range(shards)
            ]
            reading.append(tasks.create_task(self._listen(redis_client, prefix, list(tenants), ready)))
            await ready.wait()
            try:
                yield
            finally:
                for each in reading:
                    each.cancel()

    async def _read(self, redis_client: RedisClient, stream: str) -> None:
        last: bytes | str = "0"
        while True:
            words = ("XREAD", "COUNT", 500, "BLOCK", BLOCK_MS, "STREAMS", stream, last)
            try:
                reply = await redis_client.send(*words, key=stream, blocks=True)
            except RedisUnavailable:
                # Another test delayed this loop past the time limit of the connection. Asking again loses nothing.
                continue
            for _, entries in _pairs(reply):
                async with self._news:
                    for entry, fields in entries:
                        last = entry
                        result = json.loads(_field(fields, b"result"))
                        self.results[JobRef(result["tenant_id"], result["job_id"])].append(result)
                    self._news.notify_all()

    async def _listen(self, redis_client: RedisClient, prefix: str, tenants: list[str], ready: asyncio.Event) -> None:
        where = {f"{prefix}:events:{name}": self.events[name] for name in tenants}
        where |= {f"{prefix}:results:{name}": self.announced[name] for name in tenants}
        async with redis_client.commands.pubsub() as channel:
            await channel.subscribe(*where)
            waiting = set(where)
            async for message in channel.listen():
                name = message["channel"].decode()
                if message["type"] == "subscribe":
                    waiting.discard(name)
                    if not waiting:
                        ready.set()
                    continue
                async with self._news:
                    where[name].append(json.loads(message["data"]))
                    self._news.notify_all()


def _pairs(reply: Any) -> Any:
    return reply.items() if isinstance(reply, dict) else reply or ()


def _field(fields: Any, name: bytes) -> bytes:
    pairs = fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))
    value: bytes = pairs[name]
    return value
