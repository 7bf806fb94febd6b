"""Tenants share page-seconds: a tenant is charged what its jobs took, whatever was expected of them.

Time is virtual: the clock of Redis stands still, and is moved to the end of the job that ends next.
"""

import heapq
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pw_queue import DONE, LEASE_ENDS, LeaseEnd, QueueHarness, everything, open_harness, ticket
from pw_servers import RedisServer

from pageworker_supervisor.queue.claim import Lease
from pageworker_supervisor.queue.limits_table import LimitsTable
from pageworker_supervisor.queue.producer import QuotaLimits

Length = Callable[[str, random.Random], float]
"""Seconds that the next job of a tenant takes."""


@dataclass
class VirtualWorker:
    """One worker with `pages`, whose jobs take as long as `length` says. Every tenant always has jobs that wait."""

    harness: QueueHarness
    weights: dict[str, float]
    pages: int
    length: Length
    seed: int = 0
    now: float = 0.0
    used: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Page-seconds by tenant, those of running jobs included."""
    order: list[str] = field(default_factory=list)
    largest_gap: float = 0.0
    """Of two tenants, in page-seconds per weight."""

    async def set_weights(self, **weights: float) -> None:
        self.weights |= weights
        await self.harness.stop_clock()
        table = LimitsTable(tenants={name: QuotaLimits(weight=weight) for name, weight in self.weights.items()})
        await self.harness.queue.limits.set(table)

    async def run(self, jobs: int) -> None:
        """Serve this many jobs."""
        rng = random.Random(self.seed)
        queued: dict[str, int] = defaultdict(int)
        waiting: dict[str, int] = defaultdict(int)
        running: list[tuple[float, int, Lease]] = []
        for _ in range(jobs):
            for tenant in self.weights:
                if waiting[tenant] <= self.pages:  # a claim leaves one, so the tenant never becomes idle
                    first, queued[tenant] = queued[tenant], queued[tenant] + 20
                    waiting[tenant] += 20
                    await self.harness.producer.enqueue(
                        [ticket(f"{len(self.order)}-{n}", tenant) for n in range(first, queued[tenant])]
                    )
            for lease in await self.harness.take(capacity=everything(self.pages - len(running))):
                waiting[lease.tenant_id] -= 1
                self.order.append(lease.tenant_id)
                ends = self.now + self.length(lease.tenant_id, rng)
                heapq.heappush(running, (ends, len(self.order), lease))
            assert len(running) == self.pages, "no page stays free"
            ends, _, lease = heapq.heappop(running)
            for tenant in [lease.tenant_id, *(other.tenant_id for _, _, other in running)]:
                self.used[tenant] += ends - self.now
            await self.harness.later(round((ends - self.now) * 1000))
            self.now = ends
            assert await self.harness.consumer.finish(lease, **DONE)
            per_weight = [self.used[tenant] / weight for tenant, weight in self.weights.items()]
            self.largest_gap = max(self.largest_gap, max(per_weight) - min(per_weight))
        for _, _, lease in running:
            assert await self.harness.consumer.finish(lease, **DONE)

    def shares(self) -> dict[str, float]:
        whole = sum(self.used.values())
        return {tenant: self.used[tenant] / whole for tenant in self.weights}


def mixed(_: str, rng: random.Random) -> float:
    """Lengths that differ a hundredfold, the same mixture for every tenant."""
    return rng.choice((0.3, 1.0, 3.0, 10.0, 30.0))


def own(tenant: str, _: random.Random) -> float:
    """Each tenant has its own: one has jobs a hundred times as long as another."""
    return {"one": 0.3, "two": 3.0, "four": 30.0}[tenant]


@pytest.mark.parametrize(("length", "jobs"), [(mixed, 700), (own, 1400)])
@pytest.mark.parametrize("pages", [1, 4])
async def test_weights_share_page_seconds(harness: QueueHarness, length: Length, jobs: int, pages: int) -> None:
    """Jobs that differ a hundredfold in length, weights 1, 2 and 4: each share within 5 %."""
    worker = VirtualWorker(harness, {}, pages, length)
    await worker.set_weights(one=1.0, two=2.0, four=4.0)
    await worker.run(jobs)
    for tenant, weight in worker.weights.items():
        assert worker.shares()[tenant] == pytest.approx(weight / 7, rel=0.05)
    assert worker.largest_gap <= (1 + pages) * 30.0


@given(
    seed=st.integers(0, 10**6),
    lengths=st.lists(st.sampled_from([0.2, 1.0, 5.0, 20.0]), min_size=1, max_size=4),
    weights=st.tuples(st.sampled_from([1.0, 2.0, 3.0]), st.sampled_from([1.0, 2.0, 5.0])),
    pages=st.sampled_from([1, 2, 4]),
)
@settings(max_examples=12, suppress_health_check=list(HealthCheck))
async def test_the_gap_of_two_tenants_is_bounded_by_the_longest_job(
    live_redis: RedisServer, seed: int, lengths: list[float], weights: tuple[float, float], pages: int
) -> None:
    """At any time, in page-seconds per weight: with one page at most twice the longest job, and once more for each
    further page, as a job that runs is not interrupted."""
    async with open_harness(live_redis.port) as harness:
        await harness.client.flushall()
        worker = VirtualWorker(harness, {}, pages, lambda _, rng: rng.choice(lengths), seed)
        await worker.set_weights(a=weights[0], b=weights[1])
        await worker.run(120)
        assert worker.largest_gap <= (1 + pages) * max(lengths) + 0.01


async def test_a_weight_change_shows_within_two_claims(harness: QueueHarness) -> None:
    worker = VirtualWorker(harness, {}, 1, lambda *_: 10.0)
    await worker.set_weights(a=1.0, b=1.0)
    await worker.run(21)
    await worker.set_weights(a=1.0, b=50.0)
    before = len(worker.order)
    await worker.run(12)
    assert "b" in worker.order[before : before + 2]
    assert worker.order[before:].count("b") >= 10


async def test_a_running_job_is_charged_before_it_ends(harness: QueueHarness) -> None:
    """One job of `long` runs for minutes. Meanwhile `other` gets the free page, though no job of `long` has ended."""
    await harness.producer.enqueue([ticket(f"long-{n}", "long") for n in range(5)])
    assert (await harness.one()).tenant_id == "long"
    await harness.producer.enqueue([ticket(f"other-{n}", "other") for n in range(50)])
    await harness.later(3_000)
    for _ in range(20):
        lease = await harness.one()
        assert lease.tenant_id == "other"
        await harness.finish([lease])


@pytest.mark.parametrize("call", [*LEASE_ENDS, None])
async def test_however_a_lease_ends_it_is_charged_once(harness: QueueHarness, call: LeaseEnd | None) -> None:
    """None: no worker ends it, and it expires."""
    await harness.producer.enqueue([ticket("j0")])
    lease = await harness.one()
    await harness.later(60_000)
    if call is None:
        await harness.consumer.reap()
        await harness.consumer.reap()
    else:
        await harness.end(lease, call, times=2)
    charged = float(await harness.client.hget("pw:{0}:tenant:acme", "virtual_time"))
    assert 60.0 <= charged < 70.0
    assert await harness.inspection.check_consistency() == []


async def test_a_later_lease_knows_what_the_earlier_ones_took(harness: QueueHarness) -> None:
    """`usage.page_seconds` of the result is of all attempts."""
    await harness.producer.enqueue([ticket("j0")])
    assert await harness.consumer.retry(await harness.one(), 0, b"{}")
    first = await harness.one()
    await harness.later(7_000)
    assert await harness.consumer.requeue(first)
    second = await harness.one()
    assert 7.0 <= second.page_seconds < 12.0
    await harness.later(3_000)
    assert await harness.consumer.crash(second, 0, b"{}")
    assert 10.0 <= (await harness.one()).page_seconds < 15.0
