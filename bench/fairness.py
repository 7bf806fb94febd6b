"""The order of tenants: how long they wait beside a large one, and what weights and priorities get.

Waits are counted in services, which show the scheduler's decisions and are the same on any host, and in seconds, which
show what a large backlog of one tenant costs the others.
"""

import itertools
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import uvloop

from bench.fixtures import redis_server
from bench.options import Options
from bench.queue_client import BATCH, enqueue, opened_queue, serve_batch, ticket
from bench.rows import BenchRow, compared, percentile
from pageworker_supervisor.contract.job import Priority
from pageworker_supervisor.queue import QueueClient

TENANTS, JOBS_PER_TENANT = 200, 20
LARGE, LARGE_JOBS = "large", 20_000
WEIGHTS = {"one": 1.0, "two": 2.0, "four": 4.0}
WEIGHTED_SERVICES = 700
PRIORITIES: tuple[Priority, ...] = ("high", "normal", "low")
PRIORITY_SERVICES = 260
"""Twenty cycles of 8:4:1."""


@dataclass(frozen=True)
class Waits:
    """The wait of each job of the 200 tenants. All jobs are queued at once."""

    services: Sequence[int]
    seconds: Sequence[float]


def rows(options: Options = Options()) -> Iterator[BenchRow]:
    """All rows of this suite."""
    alone: list[Waits] = []
    beside: list[Waits] = []
    for round_ in range(options.rounds):
        for large in (False, True) if round_ % 2 == 0 else (True, False):
            (beside if large else alone).append(uvloop.run(_waits(large)))
    against = f"{TENANTS} tenants alone, {JOBS_PER_TENANT} jobs each"
    in_services = [[_p95(waits.services) for waits in side] for side in (beside, alone)]
    in_seconds = [[_p95(waits.seconds) for waits in side] for side in (beside, alone)]
    yield compared("fairness.p95_wait_beside_large_tenant_services", "services", against, *in_services)
    yield compared("fairness.p95_wait_beside_large_tenant_seconds", "s", against, *in_seconds)
    yield uvloop.run(_weights())
    yield uvloop.run(_priorities())


def _p95(waits: Sequence[float]) -> float:
    return percentile(waits, 0.95)


async def _waits(large: bool) -> Waits:
    """`large`: 20,000 jobs of one tenant are queued first."""
    with redis_server() as (url, _):
        async with opened_queue(url) as queue:
            if large:
                await enqueue(queue, [ticket(f"{LARGE}-{n}", LARGE) for n in range(LARGE_JOBS)])
            numbers = itertools.product(range(JOBS_PER_TENANT), range(TENANTS))
            await enqueue(queue, [ticket(f"t{tenant}-{n}", f"t{tenant}") for n, tenant in numbers])
            return await _served(queue)


async def _served(queue: QueueClient) -> Waits:
    services: list[int] = []
    seconds: list[float] = []
    began, before = time.perf_counter(), 0
    while len(services) < TENANTS * JOBS_PER_TENANT:
        leases = await serve_batch(queue)
        now = time.perf_counter() - began
        for at, lease in enumerate(leases, before):
            if lease.tenant_id != LARGE:
                services.append(at)
                seconds.append(now)
        before += len(leases)
    return Waits(services, seconds)


async def _weights() -> BenchRow:
    """The largest relative deviation of a tenant's share from the share that its weight gives."""
    with redis_server() as (url, _):
        async with opened_queue(url) as queue:
            for tenant, weight in WEIGHTS.items():
                jobs = [ticket(f"{tenant}-{n}", tenant, weight=weight) for n in range(WEIGHTED_SERVICES)]
                await enqueue(queue, jobs)
            served: Counter[str] = Counter()
            while served.total() < WEIGHTED_SERVICES:
                leases = await serve_batch(queue, min(BATCH, WEIGHTED_SERVICES - served.total()))
                served.update(lease.tenant_id for lease in leases)
    return BenchRow(
        name="fairness.weights_1_2_4_largest_deviation",
        value=deviation(served, WEIGHTS),
        unit="of the share",
        against="shares of 1/7, 2/7 and 4/7",
    )


async def _priorities() -> BenchRow:
    """The most services between two jobs of low priority while other jobs never run out."""
    with redis_server() as (url, _):
        async with opened_queue(url) as queue:
            for priority in PRIORITIES:
                jobs = [ticket(f"{priority}-{n}", "one", priority=priority) for n in range(PRIORITY_SERVICES)]
                await enqueue(queue, jobs)
            order = [lease.priority for _ in range(PRIORITY_SERVICES) for lease in await serve_batch(queue, 1)]
    return BenchRow(
        name="fairness.low_priority_largest_gap_services",
        value=float(largest_gap(order, "low")),
        unit="services",
        against="high and normal jobs queued all the time",
    )


def deviation(served: Counter[str], weights: Mapping[str, float]) -> float:
    """The largest relative deviation of a tenant from its share, above or below."""
    whole = sum(weights.values())
    shares = {tenant: served.total() * weight / whole for tenant, weight in weights.items()}
    return max(abs(served[tenant] - share) / share for tenant, share in shares.items())


def largest_gap(order: Sequence[str], wanted: str) -> int:
    """The largest distance from one `wanted` to the next; 1 if adjacent. Beginning and end count as `wanted`."""
    places = [-1, *(at for at, found in enumerate(order) if found == wanted), len(order)]
    return max(later - earlier for earlier, later in itertools.pairwise(places))
