"""What limits cost: claim and finish with every limit on, compared with none.

On: limits and rates of the fleet, the tenant, the domain and the module, all counted and none reached, and a profile's
lock for each fourth job, which is released with its end. Off: the same jobs without domain and profile, and no limits.

Both are measured in processor time, of Redis' main thread and of this process together: either is what bounds the rate,
and other work of the host does not change it.
"""

import statistics
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from time import process_time
from typing import Any

import uvloop

from bench.backlog import BACKLOG
from bench.fixtures import redis_server
from bench.options import Options
from bench.queue_client import BODY, ENQUEUED_AT_ONCE, WORKER, capacity, enqueue, finish, opened_client, opened_queue
from bench.rows import BenchRow, median_interval
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.limits_table import LimitsTable
from pageworker_supervisor.queue.producer import NewJob, QuotaLimits

PAIRS = 24
SLICE = 400
"""Jobs of one contender in one pair."""
FEW_JOBS, FEW_TENANTS = 2_000, 100
MANY_TENANTS = 10_000
DOMAINS, MODULES = 50, 20
PROFILE_EACH = 4

FREE = QuotaLimits(concurrency=100_000, rate_per_second=1_000_000.0, burst=1_000_000)
"""Counted, and never reached."""
ON = LimitsTable(
    tenants={"*": FREE, "tenant-1*": FREE},
    domains={"*": FREE, "*.shop.test": FREE},
    modules={"*": FREE, "bench.*": FREE},
    fleet=FREE,
)
OFF = LimitsTable()


def rows(_: Options = Options()) -> Iterator[BenchRow]:
    """The ratio with a small backlog, and with a huge one of many tenants."""
    yield uvloop.run(_measure("quotas.jobs_per_cpu_second", FEW_JOBS, FEW_TENANTS))
    yield uvloop.run(_measure("quotas.huge_backlog_jobs_per_cpu_second", BACKLOG, MANY_TENANTS))
    yield uvloop.run(_change(MANY_TENANTS))


def job(number: int, tenants: int, *, limited: bool) -> NewJob:
    """A job of 1 KB."""
    return NewJob(
        job_id=f"job-{number:012d}",
        tenant_id=f"tenant-{number % tenants}",
        body=BODY,
        module=(f"bench.m{number % MODULES}", None),
        domain=f"d{number % DOMAINS}.shop.test" if limited else None,
        profile_id=f"p{number}" if limited and (number + number // tenants) % PROFILE_EACH == 0 else None,
    )


@dataclass(frozen=True)
class Side:
    """One contender: its queue, and a client of its Redis."""

    queue: QueueClient
    client: Any

    async def cpu_seconds(self) -> float:
        """Of Redis' main thread and of this process, so far."""
        used = await self.client.info("cpu")
        redis_seconds = used["used_cpu_user_main_thread"] + used["used_cpu_sys_main_thread"]
        return process_time() + float(redis_seconds)


async def _measure(name: str, backlog: int, tenants: int) -> BenchRow:
    async with AsyncExitStack() as stack:
        sides = {limited: await _filled(stack, backlog, tenants, limited=limited) for limited in (True, False)}
        on, ratios, added = [], [], backlog
        for pair in range(PAIRS):
            seconds = {}
            for limited in (True, False) if pair % 2 else (False, True):
                before = await sides[limited].cpu_seconds()
                await _serve(sides[limited].queue)
                seconds[limited] = await sides[limited].cpu_seconds() - before
                await _fill(sides[limited].queue, range(added, added + SLICE), tenants, limited=limited)
            added += SLICE
            on.append(SLICE / seconds[True])
            ratios.append(seconds[False] / seconds[True])
    return BenchRow(
        name=name,
        value=statistics.median(on),
        unit="jobs per CPU second",
        against=f"no limits; {backlog} jobs of {tenants} tenants",
        ratio=statistics.median(ratios),
        interval=median_interval(ratios),
    )


async def _change(tenants: int) -> BenchRow:
    """Processor time of one change of limits, while `tenants` tenants wait, each for its own limit."""
    async with AsyncExitStack() as stack:
        side = await _opened(stack, LimitsTable(tenants={"*": QuotaLimits(concurrency=1)}))
        queue = side.queue
        await _fill(queue, range(2 * tenants), tenants, limited=False)
        while (await queue.consumer.claim(WORKER, capacity(250))).leases:
            pass
        times = []
        for concurrency in range(2, 9):
            # Still used up, so that each change finds every tenant parked.
            table = LimitsTable(tenants={"*": QuotaLimits(concurrency=1, burst=concurrency)})
            before = await side.cpu_seconds()
            await queue.limits.set(table)
            times.append(await side.cpu_seconds() - before)
    return BenchRow(name="quotas.change_cpu_seconds", value=statistics.median(times), unit="s", against=None)


async def _opened(stack: AsyncExitStack, table: LimitsTable) -> Side:
    url, _ = stack.enter_context(redis_server())
    client = await stack.enter_async_context(opened_client(url))
    # Rewriting an append-only file of gigabytes would disturb the measurement.
    await client.config_set("appendonly", "no")
    queue = await stack.enter_async_context(opened_queue(url))
    await queue.limits.set(table)
    return Side(queue, client)


async def _filled(stack: AsyncExitStack, backlog: int, tenants: int, *, limited: bool) -> Side:
    side = await _opened(stack, ON if limited else OFF)
    await _fill(side.queue, range(backlog), tenants, limited=limited)
    return side


async def _fill(queue: QueueClient, numbers: range, tenants: int, *, limited: bool) -> None:
    for first in range(numbers.start, numbers.stop, ENQUEUED_AT_ONCE):
        batch = range(first, min(numbers.stop, first + ENQUEUED_AT_ONCE))
        await enqueue(queue, [job(number, tenants, limited=limited) for number in batch])


async def _serve(queue: QueueClient) -> None:
    """Claim and finish a slice."""
    done = 0
    while done < SLICE:
        leases = (await queue.consumer.claim(WORKER, capacity())).leases
        await finish(queue, leases)
        done += len(leases)
