"""Three healthy tenants under load beside a tenant whose pages want more than their byte budget: what it costs the
healthy ones.

Windows without and with its jobs take turns on one worker, so that each pair sees the same minute of the host. Its
budget is a part of the page's files: the gateway cuts each of its jobs.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from bench.fixtures import headless_shell, redis_server, site
from bench.neighbours import HealthyCpu, Neighbours
from bench.options import Options
from bench.rows import BenchRow, compared, median_interval
from bench.worker import BenchPlan, prepared, started

PAIRS_PER_ROUND = 4
"""Three rounds make twelve pairs: fewer cannot tell whether so close a bound is kept."""
GREEDY = "greedy"
BUDGET_BYTES = 150_000
"""The page has 59 KB, and its files 298 KB."""
RUNNERS, PAGES = 4, 2
AGAINST = "the same three tenants without the one over its budget, in turns"


def rows(options: Options) -> Iterator[BenchRow]:
    """CPU per page of the healthy tenants, with and without the one over its budget; then how its jobs end."""
    with site() as (port, _), redis_server() as (url, _):
        tenants = {"tenants": {"*": {}, GREEDY: {"egress_budget_bytes": BUDGET_BYTES}}}
        plan = BenchPlan(url, ("visit",), PAGES, headless_shell(), port, RUNNERS, more=tenants)
        alone, beside, errors = asyncio.run(_measure(plan, options.rounds * PAIRS_PER_ROUND))
    row = compared("budget.neighbours_cpu_ms_per_page", "ms", AGAINST, beside, alone)
    ratios = [mine / other for mine, other in zip(beside, alone, strict=True)]
    yield msgspec.structs.replace(row, interval=median_interval(ratios))
    print(f"how the jobs over their budget ended: {dict(errors)}", file=sys.stderr)
    others = errors.total() - errors["egress_budget"]
    yield BenchRow(name="budget.jobs_that_were_not_cut", value=float(others), unit="jobs")


async def _measure(plan: BenchPlan, pairs: int) -> tuple[list[float], list[float], Counter[str]]:
    alone: list[float] = []
    beside: list[float] = []
    async with prepared(plan) as workspace, started(workspace, plan) as bench:
        await bench.daemon.until_ready()
        neighbours = GreedyNeighbours(workspace, bench)
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(neighbours.read())
            for greedy in (False, True):
                await neighbours.window(greedy=greedy)
            for pair in range(pairs):
                for greedy in (False, True) if pair % 2 == 0 else (True, False):
                    (beside if greedy else alone).append(await neighbours.window(greedy=greedy))
                print(f"pair {pair}: alone {alone[-1]:.1f} ms, beside {beside[-1]:.1f} ms", file=sys.stderr)
            reading.cancel()
    return alone, beside, neighbours.errors


@dataclass
class GreedyNeighbours(Neighbours):
    """With the tenant over its budget. `errors`: how its jobs ended, by the type of their errors."""

    errors: Counter[str] = field(default_factory=Counter)

    async def window(self, *, greedy: bool) -> float:
        """CPU milliseconds per page of the healthy tenants. With `greedy`, the other one always has a job."""
        cpu = HealthyCpu(self.bench)
        await cpu.sample()
        over = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(cpu.watch())
            if greedy:
                tasks.create_task(self._greedy(over))
            await self.healthy_jobs()
            over.set()
            watching.cancel()
        await cpu.sample()
        return cpu.ms_per_job()

    async def _greedy(self, over: asyncio.Event) -> None:
        while not over.is_set():
            answer = await (await self.push(GREEDY))
            self.errors[(answer["error"] or {}).get("type", "none")] += 1
