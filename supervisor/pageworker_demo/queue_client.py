"""The two ends of the queue that others touch, over a plain Redis connection as n8n has one."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis

from pageworker_demo.expectations import Answer
from pageworker_supervisor.contract.job_ref import JobRef

INBOX = "pw:inbox"
RESULTS = "pw:{0}:results"
DEAD = "pw:{0}:dead"
BLOCK_MS = 1000
"""Below the client's own socket time-out."""


class DemoQueueClient:
    """Jobs in, results out. `reader` (default: the same) is who looks at results: who may push may not read them."""

    def __init__(self, redis: Redis, reader: Redis | None = None) -> None:
        self._producer = redis
        self._redis = redis if reader is None else reader

    async def push(self, text: str) -> None:
        """What n8n's Redis node does in its operation *Push*: LPUSH of one string."""
        await self._producer.lpush(INBOX, text)

    async def results(self) -> AsyncIterator[Answer]:
        """Every result from the first on, as it comes; never ends by itself."""
        seen = b"0"
        while True:
            # Typed Any in one place: redis-py's own types of stream replies are unions of all protocols' shapes.
            streams: Any = await self._redis.xread({RESULTS: seen}, block=BLOCK_MS)
            for _, entries in streams:
                for number, fields in entries:
                    seen = number
                    yield msgspec.json.decode(fields[b"result"])

    async def all_results(self) -> list[Answer]:
        """Everything in the stream now."""
        entries: Any = await self._redis.xrange(RESULTS)
        return [msgspec.json.decode(fields[b"result"]) for _, fields in entries]

    async def kept(self, refs: Sequence[JobRef]) -> list[Answer | None]:
        """What the results' keys hold."""
        texts: Any = await self._redis.mget([f"pw:result:{ref.colon_form}" for ref in refs])
        return [None if text is None else msgspec.json.decode(text) for text in texts]

    async def dead_letters(self) -> list[bytes]:
        """All fields of every dead letter, in one text each."""
        entries: Any = await self._redis.xrange(DEAD)
        return [b" ".join(fields.values()) for _, fields in entries]
