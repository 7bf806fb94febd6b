"""Contender: a stream consumer written by hand, as fast as Python can read a Redis stream.

It has no tenants, limits or leases. `python -m bench.raw put N` queues; `… work` serves until it is killed.
"""

import json
import sys
from typing import Any

import redis.asyncio as redis
import uvloop

from bench.queue_client import opened_client
from bench.work import PAYLOAD, REDIS_URL, RESULT_SECONDS, handled

STREAM, GROUP, CONSUMER = "raw", "workers", "w"
READ = 100
BLOCK_MS = 2000
PUT_AT_ONCE = 500


async def put(client: redis.Redis, jobs: int) -> None:
    """Queue the jobs."""
    await client.xgroup_create(STREAM, GROUP, "0", mkstream=True)
    text = json.dumps(PAYLOAD)
    for first in range(0, jobs, PUT_AT_ONCE):
        async with client.pipeline(transaction=False) as pipe:
            for _ in range(first, min(jobs, first + PUT_AT_ONCE)):
                pipe.xadd(STREAM, {"job": text})
            await pipe.execute()


async def work(client: redis.Redis) -> None:
    """Serve until killed."""
    while True:
        # Any: redis-py's own types of stream replies are unions of all protocols' shapes.
        streams: Any = await client.xreadgroup(GROUP, CONSUMER, {STREAM: ">"}, count=READ, block=BLOCK_MS)
        for _, messages in streams:
            async with client.pipeline(transaction=False) as pipe:
                for entry, fields in messages:
                    result = json.dumps(handled(json.loads(fields[b"job"])))
                    pipe.set(b"raw:result:" + entry, result, ex=RESULT_SECONDS)
                    pipe.xack(STREAM, GROUP, entry)
                    pipe.xdel(STREAM, entry)
                await pipe.execute()


async def _main() -> None:
    async with opened_client(REDIS_URL) as client:
        await (put(client, int(sys.argv[2])) if sys.argv[1] == "put" else work(client))


if __name__ == "__main__":
    uvloop.run(_main())
