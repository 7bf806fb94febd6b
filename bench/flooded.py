"""How long the jobs of a light tenant take beside a tenant with a large backlog, and alone.

Two workers run at the same time, each with a Redis of its own and echo runners. On one of them, a flooder always has
jobs that wait. The light tenant's jobs go to both in turns, so whatever slows the host down slows both. A job holds its
page for half a second; that of the flooder, too.
"""

import asyncio
import random
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack

import uvloop

from bench.echo_worker import EchoWorker, echo_worker
from bench.options import Options
from bench.rows import BenchRow, compared, percentile

LIGHT, FLOODER = "light", "flooder"
POOL = {"runners": 16, "pages": 1}
JOB_MS = 500
BACKLOG = 500
WARM_UP = 10
PAUSE_SECONDS = (0.05, 0.5)
AGAINST = "the same jobs on a worker without other tenants"


def rows(options: Options = Options()) -> Iterator[BenchRow]:
    """From the push to the result, and what of it is not the job itself."""
    beside, alone = uvloop.run(_measured(options.probes))
    totals = [[percentile(seconds, 0.95)] for seconds in (beside, alone)]
    yield compared("flooded.light_tenant_p95_seconds", "s", AGAINST, *totals)
    job = JOB_MS / 1000
    yield BenchRow(name="flooded.light_tenant_wait_p95_ms", value=1000 * (totals[0][0] - job), unit="ms")
    yield BenchRow(name="flooded.light_tenant_alone_wait_p95_ms", value=1000 * (totals[1][0] - job), unit="ms")


async def _measured(probes: int) -> tuple[list[float], list[float]]:
    pauses = random.Random(1)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    async with AsyncExitStack() as stack:
        workers = {flooded: await stack.enter_async_context(echo_worker(LIGHT, {"pool": POOL})) for flooded in seconds}
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        flood = tasks.create_task(_flood(workers[True]))
        for probe in range(probes + WARM_UP):
            for flooded in (True, False) if probe % 2 else (False, True):
                await asyncio.sleep(pauses.uniform(*PAUSE_SECONDS))
                began = time.perf_counter()
                await workers[flooded].push(LIGHT, range(probe, probe + 1), JOB_MS)
                await workers[flooded].await_results(1)
                if probe >= WARM_UP:
                    seconds[flooded].append(time.perf_counter() - began)
            if probe % 50 == 0:
                print(f"probe {probe}", file=sys.stderr)
        flood.cancel()
    return seconds[True], seconds[False]


async def _flood(worker: EchoWorker) -> None:
    """Keep a backlog, until cancelled."""
    pushed = 0
    while True:
        jobs = int(await worker.client.hget("pw:{0}:tenant:" + FLOODER, "jobs") or 0)
        if jobs < BACKLOG:
            await worker.push(FLOODER, range(pushed, pushed + BACKLOG), JOB_MS)
            pushed += BACKLOG
        await asyncio.sleep(0.5)
