"""Many tenants with one job each on few runner slots, and the first job of a new tenant beside a spare runner."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bench.fixtures import headless_shell, redis_server
from bench.options import Options
from bench.rows import BenchRow, compared, percentile
from bench.worker import NO_SITE, Bench, BenchPlan, prepared, started

SLOTS = 4
PAGES = 4
WARM_UP = 8
"""Results that are left out: the slots are still empty."""
FIRST_JOBS = 12
"""Per round."""
RUN_SECONDS = 900.0
LATE_SECONDS = 60.0
BEFORE = "BENCH_BEFORE"
"""A checkout of the code to compare with. Without it there is no row against it."""
FOLDERS = ("supervisor", "runner", "sandbox", "profiles")


def rows(options: Options) -> Iterator[BenchRow]:
    """Rates against the code before and without spares, then the first job of a tenant against a cold start."""
    before = os.environ.get(BEFORE)
    contenders = {
        "spares": partial(_switch, options.jobs, {"spares": 1}, {}),
        "none": partial(_switch, options.jobs, {}, {}),
    }
    if before:
        path = ":".join(str(Path(before, folder)) for folder in FOLDERS)
        contenders["before"] = partial(_switch, options.jobs, {}, {"PYTHONPATH": path})
    found: dict[str, list[float]] = {name: [] for name in contenders}
    firsts: list[float] = []
    colds: list[float] = []
    for round_ in range(options.rounds):
        for name in list(contenders) if round_ % 2 == 0 else reversed(contenders):
            found[name].append(asyncio.run(contenders[name]()))
            print(f"round {round_}: {name} {found[name][-1]}", file=sys.stderr)
        first, cold = asyncio.run(_first_jobs())
        firsts.append(1000 * percentile(first, 0.5))
        colds.append(1000 * percentile(cold, 0.5))
    ours = found["spares"]
    yield compared("switch.jobs_per_second", "jobs/s", "pool.spares = 0", ours, found["none"])
    if before:
        yield compared("switch.jobs_per_second_vs_before", "jobs/s", f"the code in {BEFORE}", ours, found["before"])
    by_hand = "a cold start of Playwright by hand"
    yield compared("switch.first_navigation_p50_ms", "ms", by_hand, firsts, colds)


def _plan(redis_url: str, pool: Mapping[str, Any]) -> BenchPlan:
    more = {"pool": {"runners": SLOTS, "pages": PAGES, **pool}}
    return BenchPlan(redis_url, ("clock",), PAGES, headless_shell(), NO_SITE, runners=SLOTS, more=more)


def _job(name: str) -> str:
    """The job of a tenant of its own."""
    return json.dumps({"job_id": name, "tenant_id": f"t-{name}", "endpoint_module": "bench.clock", "payload": {}})


async def _switch(jobs: int, pool: Mapping[str, Any], environment: Mapping[str, str]) -> float:
    """Jobs per second."""
    with redis_server() as (redis_url, _):
        plan = _plan(redis_url, pool)
        async with (
            asyncio.timeout(RUN_SECONDS),
            prepared(plan) as workspace,
            started(workspace, plan, environment) as bench,
        ):
            await bench.daemon.until_ready()
            for number in range(jobs):
                await bench.queue.push(_job(str(number)))
            ends: list[float] = []
            async for answer in bench.queue.results():
                assert answer["status"] == "succeeded", answer
                ends.append(time.monotonic())
                if len(ends) == jobs:
                    break
            return (jobs - WARM_UP) / (ends[-1] - ends[WARM_UP - 1])


async def _first_jobs() -> tuple[list[float], list[float]]:
    """Seconds from push to the handler's first line of tenants that are new, and of cold starts, taking turns."""
    first: list[float] = []
    cold: list[float] = []
    with redis_server() as (redis_url, _):
        plan = _plan(redis_url, {"spares": 1})
        async with prepared(plan) as workspace, started(workspace, plan) as bench:
            await bench.daemon.until_ready()
            results = bench.queue.results()
            for number in range(FIRST_JOBS):
                await _spare_is_up(bench)
                pushed = time.time()
                await bench.queue.push(_job(f"first-{number}"))
                first.append((await anext(results))["data"]["reached"] - pushed)
                await _spare_is_up(bench)
                command = (sys.executable, "-m", "bench.cold", headless_shell())
                done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
                cold.append(float(done.stdout))
    return first, cold


async def _spare_is_up(bench: Bench) -> None:
    """Wait until the worker has one. Raises TimeoutError."""
    async with asyncio.timeout(LATE_SECONDS):
        while True:
            status = await bench.daemon.status()
            if any(each["tenant_id"] is None and each["state"] == "ready" for each in status["runners"]):
                return
            # No event tells when a spare is up.
            await asyncio.sleep(0.1)
