"""A claim: who is next, which contexts are held back, and how a lease is read."""

import itertools
from collections import Counter
from typing import Any

import pytest
from pw_queue import QueueHarness, everything, places, ticket

from pageworker_supervisor.contract.context_key import ANY_PROFILE, NO_EGRESS, ContextKey
from pageworker_supervisor.contract.isolation import Isolation
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.claim import Capacity, ContextCapacity, Lease, lease_from

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


async def test_a_context_whose_policy_allows_one_page_gets_one_job_per_slot(harness: QueueHarness) -> None:
    for proxy, profile in (("each", None), ("each", "p1"), ("usual", "p2")):
        jobs = [ticket(f"{proxy}-{profile}-{n}", proxy=proxy, profile_id=profile) for n in range(4)]
        await harness.producer.enqueue(jobs)
    capacity = Capacity(limit=9, runner_slots=3, pages_per_runner=3, one_page=frozenset({"each"}))
    leases = await harness.take(capacity=capacity)
    taken = Counter((lease.context.proxy, lease.context.profile_id) for lease in leases)
    assert taken == {("each", None): 2, ("usual", "p2"): 3} or taken == {
        ("each", None): 1,
        ("each", "p1"): 1,
        ("usual", "p2"): 3,
    }


async def test_a_context_whose_jobs_have_budgets_gets_one_job_per_slot(harness: QueueHarness) -> None:
    for proxy, one_page, profile in (("", True, None), ("1", True, "p1"), ("1", False, "p2")):
        jobs = [ticket(f"{profile}-{n}", proxy=proxy, one_page=one_page, profile_id=profile) for n in range(4)]
        await harness.producer.enqueue(jobs)
    capacity = Capacity(limit=9, runner_slots=3, pages_per_runner=3)
    taken = Counter(lease.context.profile_id for lease in await harness.take(capacity=capacity))
    assert (taken["p1"], taken["p2"]) in ((1, 3), (0, 3))
    assert taken[None] == 2 - taken["p1"], "one job per slot"


async def test_jobs_of_one_job_contexts_get_a_slot_each_and_others_share(harness: QueueHarness) -> None:
    for isolation in (Isolation(one_job=True), Isolation("j"), Isolation(module="j")):
        jobs = [ticket(f"{isolation.group}-{isolation.module}-{n}", isolation=isolation) for n in range(3)]
        await harness.producer.enqueue(jobs)
    capacity = Capacity(limit=20, runner_slots=4, pages_per_runner=3)
    taken = Counter(lease.context.isolation for lease in await harness.take(capacity=capacity))
    assert taken == {Isolation(one_job=True): 2, Isolation("j"): 3, Isolation(module="j"): 3}


async def test_a_warm_context_takes_no_job_of_another_isolation(harness: QueueHarness) -> None:
    warm, other = Isolation("cart"), Isolation("cart", "shop.product")
    await harness.producer.enqueue([ticket("other", isolation=other), ticket("mine", isolation=warm)])
    held = [ContextCapacity(ContextKey("acme", isolation=warm), 3)]
    claimed = await harness.consumer.claim("w1", Capacity(limit=9, contexts=held))
    assert [(lease.job_id, lease.context.isolation) for lease in claimed.leases] == [("mine", warm)]
    assert claimed.wanted == (ContextKey("acme", isolation=other),)


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


BAD = ContextKey("acme", "bad")
PLAIN = ContextKey("acme")


def broken(*contexts: tuple[ContextKey, int], new: int = 2) -> Capacity:
    held = [ContextCapacity(context, pages, refused=True) for context, pages in contexts]
    return Capacity(limit=100, contexts=held, runner_slots=new, pages_per_runner=4)


async def clean(harness: QueueHarness) -> None:
    assert await harness.inspection.check_consistency() == []


async def test_a_context_that_is_held_back_brings_nothing_and_holds_back_no_other(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("b1", profile_id="bad"), ticket("g1", profile_id="good"), ticket("e1")])
    claimed = await harness.consumer.claim("w1", broken((BAD, -1)))
    assert {lease.job_id for lease in claimed.leases} == {"g1", "e1"}
    assert not claimed.lost_profiles, "no worker holds it, so none has to release it"
    assert [lease.job_id for lease in await harness.take("w2")] == ["b1"], "another worker may try"


async def test_jobs_to_be_refused_take_no_runner_slot_and_no_lock(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"b{n}", profile_id="bad") for n in range(3)])
    leases = await harness.take("w1", broken((BAD, 2), new=0))
    assert [(lease.job_id, lease.profile_fence) for lease in leases] == [("b0", None), ("b1", None)]
    (other,) = await harness.take("w2")
    assert (other.job_id, bool(other.profile_fence)) == ("b2", True)
    await clean(harness)
    await harness.finish([*leases, other])
    await clean(harness)


async def test_all_slots_stay_for_others_while_jobs_are_refused(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"b{n}", profile_id="bad") for n in range(20)])
    await harness.producer.enqueue([ticket("g1", "other"), ticket("g2", "third")])
    claimed = await harness.consumer.claim("w1", broken((BAD, 16), new=2))
    assert {"g1", "g2"} <= {lease.job_id for lease in claimed.leases}
    assert len(claimed.leases) == 18


async def test_a_profile_that_another_worker_has_open_is_served_there(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"b{n}", profile_id="bad") for n in range(2)])
    held = await harness.one("w2")
    assert held.job_id == "b0"
    assert await harness.take("w1", broken((BAD, 16))) == []
    await clean(harness)


async def test_the_ephemeral_context_and_jobs_that_must_run_alone(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("e1"), ticket("e2")])
    lease = await harness.one("w1")
    assert await harness.consumer.crash(lease, 0, b"{}")
    assert await harness.take("w1", broken((PLAIN, -1))) == []
    refused = await harness.take("w1", broken((PLAIN, 16)))
    assert sorted((lease.job_id, lease.exclusive) for lease in refused) == [("e1", True), ("e2", False)]
    await clean(harness)


async def test_a_tenant_without_slots_is_served_where_it_is_held_and_others_as_ever(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("e1"), ticket("p1", profile_id="new"), ticket("g1", "other")])
    anything = ContextCapacity(ContextKey("acme", ANY_PROFILE), -1, refused=True)
    held = ContextCapacity(PLAIN, 1)
    capacity = Capacity(limit=100, contexts=(held, anything), runner_slots=2, pages_per_runner=4)
    claimed = await harness.consumer.claim("w1", capacity)
    assert {lease.job_id for lease in claimed.leases} == {"e1", "g1"}
    assert claimed.wanted == ()


async def test_waiting_time_counts_before_all_attempts_and_without_pauses(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1")])
    await harness.later(3_000)
    lease = await harness.one()
    assert lease.queued_seconds == pytest.approx(3, abs=0.5)
    await harness.later(5_000)
    assert await harness.consumer.retry(lease, 7_000, b'{"outcome":"failed"}')
    await harness.later(7_100)
    lease = await harness.one()
    assert lease.queued_seconds == pytest.approx(3, abs=0.5), "neither the handler's time nor the pause"
    assert await harness.consumer.crash(lease, 1_000, b'{"outcome":"lost"}')
    await harness.later(1_100)
    await harness.later(2_000)
    lease = await harness.one()
    assert 3 <= lease.queued_seconds < 6
    assert lease.total_seconds == pytest.approx(18.2, abs=1)


ROW: dict[str, Any] = {
    "ref": "acme/j1",
    "context": f"p1~{NO_EGRESS}",
    "token": "1-0-nonce",
    "attempts_used": 2,
    "crashes": 0,
    "queued_ms": 1500,
    "total_ms": 2500,
    "page_ms": 750,
    "priority": "h",
}


def read(**fields: Any) -> Lease:
    return lease_from({**ROW, **fields}, b"{}", 3, asked_at=100.0)


def test_a_row_without_optional_fields() -> None:
    lease = read()
    assert (lease.ref, lease.context) == (JobRef("acme", "j1"), ContextKey("acme", "p1"))
    assert (lease.shard, lease.body, lease.attempt, lease.priority) == (3, b"{}", 3, "high")
    assert (lease.queued_seconds, lease.total_seconds) == (1.5, 2.5)
    assert (lease.ending, lease.profile_fence, lease.begin_before, lease.attempts) == (None, None, None, ())
    assert not lease.exclusive


def test_past_attempts_are_lines() -> None:
    assert read(past_attempts='{"attempt":1}\n{"attempt":2}').attempts == (b'{"attempt":1}', b'{"attempt":2}')


@pytest.mark.parametrize(("crashes", "ending", "exclusive"), [(0, None, False), (1, None, True), (3, "dead", False)])
def test_a_job_that_was_there_when_a_runner_died_runs_alone(crashes: int, ending: str | None, exclusive: bool) -> None:
    assert read(crashes=crashes, ending=ending).exclusive is exclusive


def test_the_time_to_begin_counts_from_the_request_and_not_for_a_job_that_ends() -> None:
    assert read(begins_within_ms=2500).begin_before == 102.5
    assert read(begins_within_ms=2500, ending="expired").begin_before is None


def test_a_clock_that_went_back_gives_no_negative_times() -> None:
    assert (read(queued_ms=-5).queued_seconds, read(total_ms=-5).total_seconds) == (0.0, 0.0)
