"""Contender: streaq with its defaults and uvloop, one worker process.

`python -m bench.peers.streaq_peer put N` queues; `… work` becomes streaq's own worker.
"""

import asyncio
import os
import sys
from typing import Any

from streaq import Worker

from bench.work import PAYLOAD, REDIS_URL, RESULT_SECONDS, handled

PUT_AT_ONCE = 500

worker = Worker(redis_url=REDIS_URL, anyio_kwargs={"use_uvloop": True})


# Silent: a log line per job would be measured too.
@worker.task(name="visit", silent=True, ttl=RESULT_SECONDS)
async def visit(payload: dict[str, Any]) -> dict[str, Any]:
    """The job's handler."""
    return handled(payload)


async def put(jobs: int) -> None:
    """Queue the jobs, many per call."""
    async with worker:
        for first in range(0, jobs, PUT_AT_ONCE):
            batch = range(first, min(jobs, first + PUT_AT_ONCE))
            await worker.enqueue_many([visit.enqueue(PAYLOAD) for _ in batch])


def work() -> None:
    """Replace this process by the worker."""
    os.execv(sys.executable, (sys.executable, "-m", "streaq", "run", "bench.peers.streaq_peer:worker"))


if __name__ == "__main__":
    if sys.argv[1] == "put":
        asyncio.run(put(int(sys.argv[2])))
    else:
        work()
