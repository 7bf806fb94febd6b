"""Who is next: tenants by weight, priorities 8:4:1, and no tenant waits for another's backlog."""

import itertools
from collections import Counter

import pytest
from pw_queue import QueueHarness, everything, places, ticket

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.queue.lease import Lease

PRIORITIES = ("high", "normal", "low")


async def test_weights_share_the_work(harness: QueueHarness) -> None:
    for tenant, weight in (("one", 1), ("two", 2), ("four", 4)):
        await harness.producer.enqueue([ticket(f"{tenant}-{n}", tenant, weight=weight) for n in range(800)])
    served: Counter[str] = Counter()
    for _ in range(100):
        leases = await harness.take(capacity=everything(7))
        served.update(lease.tenant_id for lease in leases)
        await harness.finish(leases)
    for tenant, share in (("one", 100), ("two", 200), ("four", 400)):
        assert served[tenant] == pytest.approx(share, rel=0.1)


async def test_priorities_share_eight_four_one_and_low_always_advances(harness: QueueHarness) -> None:
    for priority in PRIORITIES:
        await harness.producer.enqueue([ticket(f"{priority}-{n}", priority=priority) for n in range(300)])
    order = [(await _next(harness)).priority for _ in range(130)]
    assert Counter(order) == {"high": 80, "normal": 40, "low": 10}
    gaps = [at for at, priority in enumerate(order) if priority == "low"]
    assert all(later - earlier <= 13 for earlier, later in itertools.pairwise(gaps))


async def test_within_a_priority_the_first_comes_first(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"j{n}") for n in range(50)])
    assert await harness.drain(capacity=everything(4)) == [f"j{n}" for n in range(50)]


async def test_profiles_and_domains_of_a_tenant_take_turns(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"big-{n}", domain="big.test") for n in range(50)])
    await harness.producer.enqueue([ticket("small", domain="small.test"), ticket("mine", profile_id="p1")])
    first = [(await _next(harness)).job_id for _ in range(4)]
    assert {"small", "mine"} < set(first)


async def test_a_newcomer_is_served_next_and_not_for_what_it_missed(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"old-{n}", "old") for n in range(200)])
    for _ in range(50):
        await _next(harness)
    await harness.producer.enqueue([ticket(f"new-{n}", "new") for n in range(200)])
    tenants = [(await _next(harness)).tenant_id for _ in range(40)]
    assert tenants.index("new") <= 1
    assert Counter(tenants) == {"old": 20, "new": 20}


async def test_small_tenants_hardly_feel_a_large_one(harness: QueueHarness) -> None:
    """200 tenants with 20 jobs each, alone and beside one with 20,000: p95 wait at most 1.5 times."""
    alone = await _waits(harness)
    await harness.client.flushall()
    await harness.queue.load()
    for first in range(0, 20_000, 1000):
        await harness.producer.enqueue([ticket(f"whale-{n}", "whale") for n in range(first, first + 1000)])
    beside = await _waits(harness)
    assert _p95(beside) <= 1.5 * _p95(alone)


async def test_a_held_runner_slot_is_not_a_privilege(harness: QueueHarness) -> None:
    """A worker that is full of one tenant learns which context is next, and can free a slot."""
    await harness.producer.enqueue([ticket(f"a-{n}", "a") for n in range(50)])
    first = await harness.consumer.claim("w1", places(new=1, pages=2))
    assert [lease.tenant_id for lease in first.leases] == ["a", "a"]
    assert [wanted.tenant_id for wanted in first.wanted] == ["a"], "it could use another runner slot"
    await harness.producer.enqueue([ticket("b-0", "b"), ticket("c-0", "c", profile_id="p1")])
    full = await harness.consumer.claim("w1", places(("a", None, 2)))
    assert [lease.tenant_id for lease in full.leases] == ["a", "a"]
    assert list(full.wanted)[:2] == [ContextKey("b"), ContextKey("c", "p1")]
    assert (await harness.consumer.claim("w1", places(("a", None, 0), new=1))).leases[0].tenant_id == "b"


async def _next(harness: QueueHarness) -> Lease:
    lease = await harness.one()
    await harness.finish([lease])
    return lease


async def _waits(harness: QueueHarness) -> list[int]:
    """Waits of the 200 tenants' jobs in rounds; a round serves sixteen jobs, and all were pushed at once."""
    tickets = [ticket(f"t{tenant}-{n}", f"t{tenant}") for n in range(20) for tenant in range(200)]
    await harness.producer.enqueue(tickets)
    waits: list[int] = []
    at = 0
    while len(waits) < 4000:
        leases = await harness.take(capacity=everything(16))
        waits += [at for lease in leases if lease.tenant_id != "whale"]
        await harness.finish(leases)
        at += 1
    return waits


def _p95(waits: list[int]) -> int:
    return sorted(waits)[len(waits) * 95 // 100]
