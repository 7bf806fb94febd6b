"""Contexts that do not come up on a worker: held back there, or claimed only to be answered."""

from pw_queue import QueueHarness, ticket

from pageworker_supervisor.contract.context_key import ANY_PROFILE, ContextKey
from pageworker_supervisor.queue.capacity import Capacity, ContextCapacity

BAD = ContextKey("acme", "bad")
PLAIN = ContextKey("acme")


def broken(*contexts: tuple[ContextKey, int], new: int = 2) -> Capacity:
    held = [ContextCapacity(context, pages, refused=True) for context, pages in contexts]
    return Capacity(limit=100, contexts=held, runner_slots=new, pages_per_runner=4)


async def clean(harness: QueueHarness) -> None:
    assert await harness.inspection.audit() == []


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
