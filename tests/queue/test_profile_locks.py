"""The lock of a command on a profile: no worker claims its jobs meanwhile, and a profile in use is refused."""

import pytest
from pw_queue import QueueHarness, ticket

from pageworker_supervisor.queue.profile_locks import KnownProfile, ProfileHeld


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
