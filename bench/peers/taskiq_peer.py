"""Contender: taskiq on a Redis stream, acknowledged once the result is saved; one worker process, its defaults.

`python -m bench.peers.taskiq_peer put N` queues; `… work` becomes taskiq's own worker.
"""

import asyncio
import os
import sys
from typing import Any

from taskiq.serializers import ORJSONSerializer
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

from bench.work import PAYLOAD, REDIS_URL, RESULT_SECONDS, handled

results: RedisAsyncResultBackend[Any] = RedisAsyncResultBackend(
    REDIS_URL, result_ex_time=RESULT_SECONDS, prefix_str="taskiq:result", serializer=ORJSONSerializer()
)
broker = RedisStreamBroker(REDIS_URL).with_result_backend(results).with_serializer(ORJSONSerializer())


@broker.task(task_name="visit")
async def visit(payload: dict[str, Any]) -> dict[str, Any]:
    """The job's handler."""
    return handled(payload)


async def put(jobs: int) -> None:
    """Queue the jobs, one call each: taskiq has no other way."""
    await broker.startup()
    for _ in range(jobs):
        await visit.kiq(PAYLOAD)
    await broker.shutdown()


def work() -> None:
    """Replace this process by the worker."""
    worker = ("-m", "taskiq", "worker", "bench.peers.taskiq_peer:broker", "--workers", "1", "--log-level", "WARNING")
    os.execv(sys.executable, (sys.executable, *worker))


if __name__ == "__main__":
    if sys.argv[1] == "put":
        asyncio.run(put(int(sys.argv[2])))
    else:
        work()
