"""One round of one contender of the queue: all jobs are queued first, then one worker process drains them.

The time runs from the first job that is seen to be done until none is left. The start of a worker does not count.
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis

from bench.fixtures import redis_server
from bench.process_tree import ProcessTree
from bench.queue_client import opened_client
from bench.run import WrongResult
from bench.work import REDIS_VARIABLE

ROOT = Path(__file__).parents[1]
PUT_SECONDS = 300.0
RUN_SECONDS = 300.0
POLL_SECONDS = 0.005
"""Redis has no event for the number of jobs that are left. Every contender is polled at the same rate."""


@dataclass(frozen=True)
class Contender:
    """`module`: a program with commands `put N` and `work`. `left`: jobs without a result. `results`: their keys."""

    name: str
    module: str
    left: Callable[[Redis], Awaitable[int]]
    results: str
    python: Path = Path(sys.executable)

    def command(self, *words: str) -> Sequence[str]:
        """The command line that runs the program with `words`."""
        return (str(self.python), "-m", self.module, *words)


async def jobs_per_second(contender: Contender, jobs: int) -> float:
    """The rate on an empty Redis. Raises WrongResult, TimeoutError; EOFError if the contender's worker ends."""
    with redis_server() as (url, _):
        tree = ProcessTree()
        environment = {**os.environ, REDIS_VARIABLE: url, "PYTHONPATH": str(ROOT)}
        try:
            async with opened_client(url) as client:
                async with asyncio.timeout(PUT_SECONDS):
                    putting = await _start(contender.command("put", str(jobs)), environment)
                    await putting.wait()
                if (queued := await contender.left(client)) != jobs:
                    raise WrongResult(f"{contender.name}: {queued} jobs are queued instead of {jobs}")
                working = await _start(contender.command("work"), environment)
                async with asyncio.timeout(RUN_SECONDS):
                    rate = await _drained(contender, client, jobs, working)
                kept = [key async for key in client.scan_iter(contender.results, count=1000)]
                if len(kept) != jobs:
                    raise WrongResult(f"{contender.name}: {len(kept)} results of {jobs} jobs")
                working.kill()
                await working.wait()
                return rate
        finally:
            # Some contenders start more processes, and after an error all of them are left.
            tree.kill()


async def _drained(contender: Contender, client: Redis, jobs: int, working: asyncio.subprocess.Process) -> float:
    while (first := await contender.left(client)) == jobs:
        if working.returncode is not None:
            raise EOFError(f"{contender.name}: its worker ended with {working.returncode}")
        await asyncio.sleep(POLL_SECONDS)
    began = time.perf_counter()
    left = first
    while left:
        if working.returncode is not None:
            raise EOFError(f"{contender.name}: its worker ended with {working.returncode}, {left} jobs before the end")
        await asyncio.sleep(POLL_SECONDS)
        left = await contender.left(client)
    if not first:
        raise WrongResult(f"{contender.name}: {jobs} jobs are too few to be timed")
    return first / (time.perf_counter() - began)


async def _start(command: Sequence[str], environment: dict[str, str]) -> asyncio.subprocess.Process:
    # stdout is for measurements only.
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stdout=sys.stderr)
