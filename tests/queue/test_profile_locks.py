"""The lock of a command on a profile: no worker claims its jobs meanwhile, and a profile in use is refused."""

import pytest
from pw_queue import QueueHarness, ticket

from pageworker_supervisor.queue.profile_locks import KnownProfile, ProfileHeld
from pageworker_supervisor.queue.wakeup import AskNotice


async def test_jobs_of_a_profile_wait_while_a_command_has_it(harness: QueueHarness) -> None:
    locks = harness.queue.profile_locks
    await harness.producer.enqueue([ticket("before", profile_id="p1")])
    async with locks.held("acme", "p1", "workerctl") as fence:
        await harness.producer.enqueue([ticket("meanwhile", profile_id="p1")])
        assert await harness.take() == []
        assert await harness.queue.inspection.check_consistency() == []
        with pytest.raises(ProfileHeld, match="workerctl:"):
            async with locks.held("acme", "p1", "workerctl"):
                pass
    assert await harness.queue.inspection.check_consistency() == []
    job = await harness.one()
    assert job.profile_fence is not None
    assert job.profile_fence > fence


async def test_a_profile_that_a_worker_has_open_is_refused_with_its_name(harness: QueueHarness) -> None:
    locks = harness.queue.profile_locks
    await harness.producer.enqueue([ticket("j", profile_id="p1")])
    await harness.one()
    await harness.queue.profile_stores.claim("acme", "p1", "one", "host-1")
    worker = (await locks.read("acme", ["p1"]))[0].worker
    with pytest.raises(ProfileHeld) as refused:
        async with locks.held("acme", "p1", "workerctl"):
            pass
    assert refused.value.holder == worker != ""
    assert await locks.read("acme", ["p2", "p1"]) == [KnownProfile("", "", ""), KnownProfile(worker, "one", "host-1")]
    assert len(await locks.read("acme", [f"p{number}" for number in range(101)])) == 101


async def test_a_command_that_waits_asks_an_idle_worker_and_no_busy_one(harness: QueueHarness) -> None:
    locks = harness.queue.profile_locks
    await harness.producer.enqueue([ticket("j", profile_id="p1")])
    lease = await harness.one()
    for idle in (False, True):
        if idle:
            await harness.finish([lease])
        with pytest.raises(ProfileHeld):
            async with locks.held("acme", "p1", "workerctl", ask=True):
                pass
        woken = await harness.consumer.wait("w1", 0.01)
        assert (AskNotice("acme", "p1", lease.profile_fence or 0) in woken.control) is idle


async def test_a_lock_of_a_worker_that_is_gone_can_be_released(harness: QueueHarness) -> None:
    locks = harness.queue.profile_locks
    assert await locks.lock("acme", "p1") is None
    await harness.producer.enqueue([ticket("j", profile_id="p1"), ticket("k", profile_id="p1")])
    lease = await harness.one()
    lock = await locks.lock("acme", "p1")
    assert lock is not None
    assert (lock.holder, lock.fence) == ("w1", lease.profile_fence)
    assert 40 < lock.left_seconds <= 45
    await harness.later(60_000)
    late = await locks.lock("acme", "p1")
    assert late is not None
    assert late.left_seconds < 0
    assert await locks.unlock("acme", "p1", late)
    assert not await locks.unlock("acme", "p1", late), "the next lock is another one"
    assert [job.job_id for job in await harness.take("w2")] == ["k"]
