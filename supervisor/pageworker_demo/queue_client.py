"""What users of the queue do: push jobs and read results, over a plain Redis connection such as n8n's."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from redis.asyncio import Redis

from pageworker_demo.expectations import DecodedResult
from pageworker_supervisor.contract.job import JobRef

INBOX = "pw:inbox"
RESULTS = "pw:{0}:results"
DEAD = "pw:{0}:dead"
BLOCK_MS = 1000
"""Less than the client's own socket timeout."""


class DemoQueueClient:
    """Pushes jobs and reads results."""

    def __init__(self, producer: Redis, reader: Redis | None = None) -> None:
        """`reader` is a connection of a user that may read results, by default the producer's own."""
        self._producer = producer
        self._reader = producer if reader is None else reader

    async def push(self, text: str) -> None:
        """LPUSH one string, as n8n's Redis node does in its operation *Push*."""
        await self._producer.lpush(INBOX, text)

    async def results(self) -> AsyncIterator[DecodedResult]:
        """Every result from the first one on, as it comes. It never ends by itself."""
        last_seen = b"0"
        while True:
            # Any: redis-py types a reply of streams as a union of the shapes of all protocols.
            streams: Any = await self._reader.xread({RESULTS: last_seen}, block=BLOCK_MS)
            for _, entries in streams:
                for entry_id, fields in entries:
                    last_seen = entry_id
                    yield msgspec.json.decode(fields[b"result"])

    async def all_results(self) -> list[DecodedResult]:
        """Every result that is in the stream now."""
        # Any: as in `results`.
        entries: Any = await self._reader.xrange(RESULTS)
        return [msgspec.json.decode(fields[b"result"]) for _, fields in entries]

    async def stored_results(self, refs: Sequence[JobRef]) -> list[DecodedResult | None]:
        """The results under their own keys, in the order of `refs`. None where there is no such key."""
        # Any: as in `results`.
        texts: Any = await self._reader.mget([f"pw:result:{ref.colon_form}" for ref in refs])
        return [None if text is None else msgspec.json.decode(text) for text in texts]

    async def dead_letters(self) -> list[bytes]:
        """Every dead letter, all its fields in one text."""
        # Any: as in `results`.
        entries: Any = await self._reader.xrange(DEAD)
        return [b" ".join(fields.values()) for _, fields in entries]
