"""From just before a push to the first line of the handler, one job at a time on an idle worker."""

import asyncio
import json
import random
import time
from collections.abc import Iterator

from bench.ground import browser, redis_server
from bench.options import Options
from bench.rows import Row, percentile
from bench.worker import TENANT, Plan, prepared, started

PAUSE_SECONDS = (0.03, 0.07)
WARM_UP = 20
NO_SITE = 9
"""The discard port: no probe opens a page."""


def rows(options: Options) -> Iterator[Row]:
    """Two rows; sender and handler read the same machine's clock."""
    found = asyncio.run(_measure(options.probes))
    milliseconds = [1000 * seconds for seconds in found]
    yield Row(name="latency.push_to_handler_start_p50_ms", value=percentile(milliseconds, 0.5), unit="ms")
    yield Row(name="latency.push_to_handler_start_p99_ms", value=percentile(milliseconds, 0.99), unit="ms")


async def _measure(probes: int) -> list[float]:
    pauses = random.Random(1)
    found: list[float] = []
    with redis_server() as (redis_url, _):
        plan = Plan(redis_url, ("clock",), 4, browser(), NO_SITE)
        async with prepared(plan) as stage, started(stage, plan) as bench:
            await bench.daemon.until_ready()
            results = bench.letterbox.results()
            for number in range(WARM_UP + probes):
                text = json.dumps({"job_id": f"probe-{number}", "tenant_id": TENANT, "endpoint_module": "bench.clock"})
                # Idle, and not in step with anything that ticks.
                await asyncio.sleep(pauses.uniform(*PAUSE_SECONDS))
                pushed = time.time()
                await bench.letterbox.push(text)
                answer = await anext(results)
                found.append(answer["data"]["reached"] - pushed)
    return found[WARM_UP:]
