"""The time from just before a push to the first line of the handler, one job at a time on an idle worker."""

import asyncio
import itertools
import json
import random
import time
from collections.abc import Iterator

from bench.fixtures import browser, redis_server
from bench.options import Options
from bench.rows import BenchRow, percentile
from bench.worker import NO_SITE, TENANT, BenchPlan, prepared, started
from pageworker_demo.queue_client import DemoQueueClient

IDLE = (0.2, 0.4)
"""Seconds between probes: by then the last job's page is recycled, so that nothing else runs."""
TRICKLE = (0.03, 0.07)
"""Seconds between probes: the last job's page is often still being recycled."""
WARM_UP = 20


def rows(options: Options) -> Iterator[BenchRow]:
    """Rows for both pauses. Producer and handler read the clock of the same machine."""
    idle, trickle = asyncio.run(_measure(options.probes))
    for name, found in (("push_to_handler_start", idle), ("push_to_handler_start_at_20_per_second", trickle)):
        for share, label in ((0.5, "p50"), (0.99, "p99")):
            yield BenchRow(name=f"latency.{name}_{label}_ms", value=1000 * percentile(found, share), unit="ms")


async def _measure(probes: int) -> tuple[list[float], list[float]]:
    with redis_server() as (redis_url, _):
        plan = BenchPlan(redis_url, ("clock",), 4, browser(), NO_SITE)
        async with prepared(plan) as workspace, started(workspace, plan) as bench:
            await bench.daemon.until_ready()
            probe = LatencyProbe(bench.queue)
            await probe.run(WARM_UP, TRICKLE)
            return await probe.run(probes, IDLE), await probe.run(probes, TRICKLE)


class LatencyProbe:
    """Pushes one job at a time."""

    def __init__(self, queue: DemoQueueClient) -> None:
        self._queue = queue
        self._results = queue.results()
        self._numbers = itertools.count()
        self._pauses = random.Random(1)

    async def run(self, probes: int, pause: tuple[float, float]) -> list[float]:
        """Push `probes` jobs. Returns the seconds from each push to the handler's first line."""
        found: list[float] = []
        for _ in range(probes):
            job = {
                "job_id": f"probe-{next(self._numbers)}",
                "tenant_id": TENANT,
                "endpoint_module": "bench.clock",
                "payload": {},
            }
            text = json.dumps(job)
            # Jittered, so that the pushes are not in step with timers.
            await asyncio.sleep(self._pauses.uniform(*pause))
            pushed = time.time()
            await self._queue.push(text)
            answer = await anext(self._results)
            found.append(answer["data"]["reached"] - pushed)
        return found
