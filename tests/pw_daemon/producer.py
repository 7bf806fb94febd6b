"""Pushes jobs and collects every way out."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import Redis


class Producer:
    """One tenant's producer over a client of its own."""

    def __init__(self, url: str, tenant: str = "acme") -> None:
        self.redis = Redis.from_url(url, socket_timeout=10)
        self.tenant = tenant
        self._last = b"0"
        self.stream: Counter[str] = Counter()
        self.results: dict[str, dict[str, Any]] = {}

    def job(self, job_id: str, module: str, payload: dict[str, Any], **fields: Any) -> str:
        """The JSON of a job."""
        return json.dumps(
            {"job_id": job_id, "tenant_id": self.tenant, "endpoint_module": module, "payload": payload, **fields}
        )

    async def push(self, *texts: str) -> None:
        """Into the list, as n8n does."""
        await self.redis.rpush("pw:inbox", *texts)

    async def add(self, *texts: str) -> None:
        """Into the stream."""
        async with self.redis.pipeline(transaction=False) as pipe:
            for text in texts:
                pipe.xadd("pw:jobs", {"job": text})
            await pipe.execute()

    async def collect(self, count: int, seconds: float) -> None:
        """Read the result stream until `count` different jobs have been answered."""
        until = time.monotonic() + seconds
        while len(self.results) < count:
            if time.monotonic() > until:
                raise AssertionError(f"{len(self.results)} of {count} results in {seconds} s")
            await self._read(1000)

    async def _read(self, block_ms: int) -> None:
        ask: Callable[..., Awaitable[Any]] = self.redis.execute_command
        streams = await ask(*("XREAD", "COUNT", 500, "BLOCK", block_ms, "STREAMS", "pw:{0}:results", self._last))
        for _, entries in streams.items() if isinstance(streams, dict) else streams or ():
            for entry, fields in entries:
                self._last = entry
                result = json.loads(fields[b"result"])
                self.stream[result["job_id"]] += 1
                self.results[result["job_id"]] = result

    async def settle(self) -> None:
        """Read what is left in the stream: second results would be there."""
        await self._read(500)

    async def listen(self, heard: Counter[str], ready: asyncio.Event) -> None:
        """Count what comes on the tenant's channel, for ever."""
        async with self.redis.pubsub() as channel:
            await channel.subscribe(f"pw:results:{self.tenant}")
            async for message in channel.listen():
                if message["type"] == "subscribe":
                    ready.set()
                else:
                    heard[json.loads(message["data"])["job_id"]] += 1

    async def aclose(self) -> None:
        """Close the connections."""
        await self.redis.aclose()
