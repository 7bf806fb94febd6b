"""Contender: pageworker's scheduler in one process, sixteen jobs per claim, with permits, leases and fencing.

`python -m bench.consumer put N` queues jobs of a hundred tenants; `… work` serves until it is killed.
"""

import sys

import uvloop

from bench.queue_client import WORKER, enqueue, opened_queue, serve_batch, ticket
from bench.work import REDIS_URL

TENANTS = 100
WAIT_SECONDS = 2.0


async def put(jobs: int) -> None:
    """Queue the jobs."""
    async with opened_queue(REDIS_URL) as queue:
        await enqueue(queue, [ticket(f"job-{number:012d}", f"tenant-{number % TENANTS}") for number in range(jobs)])


async def work() -> None:
    """Serve until killed."""
    async with opened_queue(REDIS_URL) as queue:
        while True:
            if not await serve_batch(queue):
                await queue.consumer.wait(WORKER, WAIT_SECONDS)


if __name__ == "__main__":
    uvloop.run(put(int(sys.argv[2])) if sys.argv[1] == "put" else work())
