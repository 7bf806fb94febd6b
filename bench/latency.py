"""From just before a push to the first line of the handler, one job at a time on an idle worker."""

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
"""Seconds between probes: long enough that the last job's page has been proved clean, so that nothing else runs."""
TRICKLE = (0.03, 0.07)
"""Seconds between probes that often meet the recycling of the last job's page."""
WARM_UP = 20


def rows(options: Options) -> Iterator[BenchRow]:
    """Rows of both paces; sender and handler read the same machine's clock."""
    idle, trickle = asyncio.run(_measure(options.probes))
    for name, found in (("push_to_handler_start", idle), ("push_to_handler_start_at_20_per_second", trickle)):
        for share, label in ((0.5, "p50"), (0.99, "p99")):
            yield BenchRow(name=f"latency.{name}_{label}_ms", value=1000 * percentile(found, share), unit="ms")


async def _measure(probes: int) -> tuple[list[float], list[float]]:
    with redis_server() as (redis_url, _):
        plan = BenchPlan(redis_url, ("clock",), 4, browser(), NO_SITE)
        async with prepared(plan) as stage, started(stage, plan) as bench:
            await bench.daemon.until_ready()
            probing = Probing(bench.letterbox)
            await probing.run(WARM_UP, TRICKLE)
            return await probing.run(probes, IDLE), await probing.run(probes, TRICKLE)


class Probing:
    """One job at a time."""

    def __init__(self, letterbox: DemoQueueClient) -> None:
        self._letterbox = letterbox
        self._results = letterbox.results()
        self._numbers = itertools.count()
        self._pauses = random.Random(1)

    async def run(self, probes: int, pause: tuple[float, float]) -> list[float]:
        """Seconds from just before the push to the handler's first line."""
        found: list[float] = []
        for _ in range(probes):
            job = {
                "job_id": f"probe-{next(self._numbers)}",
                "tenant_id": TENANT,
                "endpoint_module": "bench.clock",
                "payload": {},
            }
            text = json.dumps(job)
            # Jittered: not in step with anything that ticks.
            await asyncio.sleep(self._pauses.uniform(*pause))
            pushed = time.time()
            await self._letterbox.push(text)
            answer = await anext(self._results)
            found.append(answer["data"]["reached"] - pushed)
        return found
