"""A huge backlog: the time per job compared with a small backlog, and the memory per job in Redis."""

import os
from collections.abc import Iterator
from contextlib import AsyncExitStack

import redis.asyncio as redis
import uvloop

from bench.fixtures import redis_server
from bench.options import Options
from bench.queue_client import BODY, ENQUEUED_AT_ONCE, enqueue, opened_client, opened_queue, serve, ticket
from bench.rows import BenchRow, compared
from pageworker_supervisor.queue import QueueClient

BACKLOG = int(os.environ.get("BENCH_BACKLOG", "1000000"))
TENANTS = 10_000
SMALL = 1_000
FEW_TENANTS = 10
"""A second small backlog, whose few tenants a claim meets more than once: the hardest comparison for a huge one."""
SERVED = 8_000
"""Jobs claimed and finished per backlog, in slices that take turns."""
SLICE = 200


def rows(_: Options = Options()) -> Iterator[BenchRow]:
    """The rates compared with both small backlogs, and the memory per job."""
    yield from uvloop.run(_measure())


async def _measure() -> list[BenchRow]:
    """The backlogs take turns, so that a slow minute of the host affects all of them."""
    async with AsyncExitStack() as stack:
        huge_client, huge = await _opened(stack)
        _, small = await _opened(stack)
        _, dense = await _opened(stack)
        before = await _used_bytes(huge_client)
        await _fill(huge, range(BACKLOG), TENANTS)
        used = await _used_bytes(huge_client) - before
        await _fill(small, range(SMALL), TENANTS)
        await _fill(dense, range(SMALL), FEW_TENANTS)
        huge_rates, small_rates, dense_rates = [], [], []
        for first in range(SMALL, SMALL + SERVED, SLICE):
            small_rates.append(SLICE / await serve(small, SLICE))
            huge_rates.append(SLICE / await serve(huge, SLICE))
            dense_rates.append(SLICE / await serve(dense, SLICE))
            await _fill(small, range(first, first + SLICE), TENANTS)
            await _fill(dense, range(first, first + SLICE), FEW_TENANTS)
    name, against = "queue.huge_backlog_jobs_per_second", f"{SMALL} jobs queued instead of {BACKLOG}"
    few = f"{against}, of {FEW_TENANTS} tenants instead of {TENANTS}"
    return [
        compared(name, "jobs/s", against, huge_rates, small_rates),
        compared(f"{name}_vs_few_tenants", "jobs/s", few, huge_rates, dense_rates),
        BenchRow(name="queue.bytes_per_queued_job", value=used / BACKLOG - len(BODY), unit="bytes"),
    ]


async def _opened(stack: AsyncExitStack) -> tuple[redis.Redis, QueueClient]:
    url, _ = stack.enter_context(redis_server())
    client = await stack.enter_async_context(opened_client(url))
    # Rewriting an append-only file of gigabytes would disturb the measurement.
    await client.config_set("appendonly", "no")
    return client, await stack.enter_async_context(opened_queue(url))


async def _used_bytes(client: redis.Redis) -> int:
    return int((await client.info("memory"))["used_memory"])


async def _fill(queue: QueueClient, numbers: range, tenants: int) -> None:
    # In batches: all jobs of a huge backlog at once would need gigabytes in this process too.
    for first in range(numbers.start, numbers.stop, ENQUEUED_AT_ONCE):
        batch = range(first, min(numbers.stop, first + ENQUEUED_AT_ONCE))
        await enqueue(queue, [ticket(f"job-{n:012d}", f"tenant-{n % tenants}") for n in batch])
