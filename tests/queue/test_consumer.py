"""A lease belongs to one worker, ends once, and comes back when that worker is silent."""

import asyncio

import msgspec
import pytest
from pw_queue import DONE, QueueHarness, everything, plain_client, ref, ticket
from pw_servers import RespProxy

from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.claim import Lease
from pageworker_supervisor.redis_client import Router

LEASE_MS = 45_000


async def test_a_heartbeat_keeps_a_job_longer_than_any_fixed_timeout(harness: QueueHarness) -> None:
    """kombu#337: a job that outlived the visibility timeout ran twice."""
    await harness.producer.enqueue([ticket("j1")])
    lease = await harness.one()
    for _ in range(20):
        await harness.later(15_000)
        assert not (await harness.consumer.heartbeat("w1", [lease])).lost
        assert (await harness.consumer.reap()).count == 0
        assert await harness.take("w2") == []
    await harness.finish([lease])


async def test_claims_lease_only_what_is_handed_out(harness: QueueHarness) -> None:
    """celery#5935, apify-sdk-python#1062: leases of prefetched jobs ran out before they were started."""
    await harness.producer.enqueue([ticket(f"j{n}") for n in range(10)])
    assert len(await harness.take(capacity=everything(3))) == 3
    (stats,) = await harness.inspection.stats()
    assert (stats.running, stats.queued) == (3, 7)


async def test_a_silent_worker_loses_its_jobs_and_is_told_so(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1")])
    old = await harness.one("w1")
    await harness.later(LEASE_MS + 1)
    reaped = await harness.consumer.reap()
    assert (reaped.count, set(reaped.workers_lost)) == (1, {"w1"})
    assert (await harness.consumer.heartbeat("w1", [old])).lost == {old.token}
    await harness.later(2_000)
    again = await harness.one("w2")
    assert (again.crashes, again.exclusive, again.attempt) == (1, True, 1)
    (past,) = map(msgspec.json.decode, again.attempts)
    assert (past["outcome"], past["worker_id"], past["attempt"]) == ("lost", "w1", 1)
    assert await harness.consumer.finish(old, **DONE) is False
    assert await harness.consumer.finish(again, **DONE) is True
    assert await harness.consumer.finish(old, **DONE) is False
    assert len(await harness.results()) == 1


@pytest.mark.parametrize("first", ["heartbeat", "result"])
async def test_until_it_is_taken_back_a_lease_is_kept_after_its_time(harness: QueueHarness, first: str) -> None:
    """Redis was away for longer than a lease. The first call that it serves then decides."""
    await harness.producer.enqueue([ticket("j1")])
    lease = await harness.one("w1")
    await harness.later(LEASE_MS + 10_000)
    if first == "heartbeat":
        assert not (await harness.consumer.heartbeat("w1", [lease])).lost
        assert (await harness.consumer.reap()).count == 0, "the heartbeat extended it"
    assert await harness.consumer.finish(lease, **DONE) is True
    assert (await harness.consumer.reap()).count == 0
    assert await harness.results() == [DONE["result"]]


async def test_two_reapers_take_a_lease_once(harness: QueueHarness) -> None:
    """taskiq-redis#123: a racy reclaim ran a job twice."""
    await harness.producer.enqueue([ticket(f"j{n}") for n in range(150)])
    await harness.take(capacity=everything(150))
    await harness.later(LEASE_MS + 1)
    counts = [(await harness.consumer.reap()).count for _ in range(2)]
    assert counts == [150, 0]
    await harness.later(5_000)
    crashed = [lease for _ in range(4) for lease in await harness.take("w2", everything(200))]
    assert len(crashed) == len({lease.job_id for lease in crashed}) == 150
    assert {lease.crashes for lease in crashed} == {1}


async def test_a_reaper_that_dies_half_way_does_not_stop_the_next(
    harness: QueueHarness, proxied_redis: RespProxy
) -> None:
    """taskiq-redis#131: the lock of a reaper that had died stayed, and nothing was reclaimed any more."""
    await harness.producer.enqueue([ticket(f"j{n}") for n in range(150)])
    await harness.take(capacity=everything(150))
    await harness.later(LEASE_MS + 1)
    client = plain_client(proxied_redis.port)
    reaper = QueueClient(Router(client, client), options=harness.queue.options)
    proxied_redis.drop_reply(command="FCALL", hang=True)
    async with asyncio.TaskGroup() as tasks:
        reaping = tasks.create_task(reaper.consumer.reap())
        await proxied_redis.dropped.wait()
        reaping.cancel()
    proxied_redis.cut()
    assert (await harness.consumer.reap()).count == 150 - 64, "all but the slice that the dead one took"
    assert (await harness.inspection.stats())[0].running == 0
    await client.aclose()


async def test_a_job_that_keeps_killing_its_runner_is_dead_after_three(harness: QueueHarness) -> None:
    """sidekiq#4633: poison was tried for ever."""
    await harness.producer.enqueue([ticket("j1")])
    for crashes in range(3):
        lease = await harness.one()
        assert lease.crashes == crashes
        assert lease.exclusive is (crashes > 0), "its neighbours are not to be blamed"
        assert await harness.consumer.crash(lease, 100, b'{"outcome":"lost"}')
        await harness.later(200)
    dead = await harness.one()
    assert (dead.ending, dead.crashes, len(dead.attempts)) == ("dead", 3, 3)
    await harness.finish([dead])


async def test_an_ending_job_whose_worker_dies_goes_to_another_uncharged(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1")])
    assert await harness.inspection.cancel(ref("j1")) == "cancelled"
    first = await harness.one("w1")
    await harness.later(LEASE_MS + 1)
    await harness.consumer.reap()
    second = await harness.one("w2")
    assert (first.ending, second.ending, second.crashes) == ("cancelled", "cancelled", 0)
    await harness.finish([second])


async def test_retries_are_charged_and_deferrals_are_not(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1", attempts_used=2)])
    lease = await harness.one()
    assert lease.attempt == 3
    assert await harness.consumer.retry(lease, 100, b'{"outcome":"failed"}')
    await harness.later(150)
    lease = await harness.one()
    assert (lease.attempt, lease.attempts) == (4, (b'{"outcome":"failed"}',))
    assert await harness.consumer.defer(lease, 100, "no page")
    await harness.later(150)
    lease = await harness.one()
    assert lease.attempt == 4
    assert await harness.consumer.requeue(lease)
    assert (await harness.one()).attempt == 4


async def test_what_is_requeued_is_next(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"j{n}") for n in range(5)])
    lease = await harness.one()
    assert await harness.consumer.requeue(lease)
    assert (await harness.one()).job_id == lease.job_id == "j0"


async def test_a_counter_that_fell_back_matches_no_lease(harness: QueueHarness) -> None:
    """After a failover the counter may be behind; a token is never equal to an older one all the same."""
    await harness.producer.enqueue([ticket("j1"), ticket("j2")])
    before = await harness.client.hget("pw:{0}:meta", "stamp")
    old = await harness.one()
    await harness.later(LEASE_MS + 1)
    await harness.consumer.reap()
    await harness.later(3_000)
    await harness.client.hset("pw:{0}:meta", "stamp", before)
    leases = await harness.take("w2")
    assert old.token not in {lease.token for lease in leases}
    assert await harness.consumer.finish(old, **DONE) is False


async def test_a_running_job_is_always_leased_and_pending(harness: QueueHarness) -> None:
    """asynq#1144: jobs stayed active without a lease. changedetection.io#3804: and running for ever."""
    await harness.producer.enqueue([ticket(f"j{n}") for n in range(20)])
    leases = await harness.take(capacity=everything(20))
    pending = await harness.client.xpending_range("pw:{0}:ready", "workers", "-", "+", 100)
    assert len(pending) == await harness.client.zcard("pw:{0}:leases") == 20
    assert await harness.inspection.check_consistency() == []
    await harness.finish(leases)


async def test_finished_entries_leave_the_stream(harness: QueueHarness) -> None:
    """redis#6941: XACK alone fills the memory."""
    await harness.producer.enqueue([ticket(f"j{n}") for n in range(50)])
    await harness.drain(capacity=everything(8))
    assert await harness.client.xlen("pw:{0}:ready") == 0


async def test_a_lost_group_is_made_again_and_nothing_of_it_is_lost(harness: QueueHarness) -> None:
    """NOGROUP: consumers span in a hot loop."""
    await harness.producer.enqueue([ticket("j1"), ticket("j2"), ticket("j3")])
    first = await harness.one()
    await harness.client.xgroup_destroy("pw:{0}:ready", "workers")
    second = await harness.one()
    assert second.job_id == "j2"
    pending = await harness.client.xpending_range("pw:{0}:ready", "workers", "-", "+", 100)
    assert len(pending) == 1, "the new group starts with this claim"
    await harness.finish([first, second])
    assert await harness.drain() == ["j3"]


async def test_names_of_dead_workers_do_not_stay(harness: QueueHarness) -> None:
    """redis#8635: consumer names leak."""
    await harness.producer.enqueue([ticket(f"j{n}") for n in range(8)])
    leases: list[Lease] = []
    for n in range(8):
        await harness.consumer.register_worker(f"w{n}")
        leases.append(await harness.one(f"w{n}"))
    assert await _consumers(harness) == 8
    await harness.finish(leases[:4])
    for n in range(4):
        await harness.consumer.forget_worker(f"w{n}")
    assert await _consumers(harness) == 4
    await harness.consumer.forget_worker("w5")
    assert await _consumers(harness) == 4, "what it leases must stay pending"
    await harness.later(10 * LEASE_MS)
    await harness.consumer.reap()
    assert await _consumers(harness) == 0
    await harness.later(10_000)
    await harness.drain()


async def _consumers(harness: QueueHarness) -> int:
    return len(await harness.client.xinfo_consumers("pw:{0}:ready", "workers"))
