"""A profile is open at one worker; its jobs go there, and it moves when the holder is idle and asked, or dead."""

import pytest
from pw_queue import DONE, QueueHarness, everything, open_harness, places, ticket
from pw_servers import RedisServer

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.queue.wakeup import AskNotice
from pageworker_supervisor.redis_client.errors import WrongType

WARM = ("acme", "p1", 1)


async def test_jobs_of_a_held_profile_wait_for_its_holder(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"j{n}", profile_id="p1") for n in range(4)])
    lease = await harness.one("w1", places(new=1, pages=1))
    assert lease.profile_fence
    assert await harness.take("w2") == [], "no other worker sees them"
    assert await harness.take("w1", places(new=5)) == [], "nor does a new runner slot of the holder"
    more = await harness.one("w1", places(WARM))
    assert more.profile_fence == lease.profile_fence
    await harness.finish([lease, more])
    assert await harness.drain("w1", places(WARM)) == ["j2", "j3"]


async def test_the_holder_is_served_in_its_tenants_turn(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"p-{n}", profile_id="p1") for n in range(10)])
    first = await harness.one("w1", places(new=1, pages=1))
    await harness.producer.enqueue([ticket(f"e-{n}") for n in range(10)])
    order = []
    for _ in range(10):
        lease = await harness.one("w1", places(("acme", "p1", 1), ("acme", None, 1), limit=1))
        order.append(lease.profile_id)
        await harness.finish([lease])
    assert order.count("p1") == 5
    await harness.finish([first])


async def test_a_profile_is_free_when_it_is_released(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1", profile_id="p1"), ticket("j2", profile_id="p1")])
    lease = await harness.one("w1", places(new=1, pages=1))
    await harness.finish([lease])
    fence = lease.profile_fence or 0
    assert await harness.consumer.release_profile("w1", "acme", "p1", fence + 1) is False
    assert await harness.consumer.release_profile("w1", "acme", "p1", fence) is True
    assert await harness.consumer.release_profile("w1", "acme", "p1", fence) is False
    moved = await harness.one("w2")
    assert (moved.profile_fence or 0) > fence


async def test_the_lock_of_a_profile_that_was_not_opened_ends_with_its_last_job(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"j{n}", profile_id="p1") for n in range(3)])
    first, second = await harness.take("w1", places(new=1, pages=2))
    assert await harness.consumer.finish(first, **DONE, release_profile=True)
    assert await harness.take("w2") == [], "the other job still holds it"
    assert await harness.consumer.finish(second, **DONE, release_profile=True)
    moved = await harness.one("w2")
    assert (moved.job_id, (moved.profile_fence or 0) > (first.profile_fence or 0)) == ("j2", True)
    assert await harness.consumer.finish(second, **DONE, release_profile=True), "the same call again"
    held = [("acme", "p1", moved.profile_fence or 0)]
    assert not (await harness.consumer.heartbeat("w2", [moved], held)).lost_profiles
    assert await harness.inspection.check_consistency() == []


async def test_an_end_without_release_keeps_the_profile(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"j{n}", profile_id="p1") for n in range(2)])
    lease = await harness.one("w1", places(new=1, pages=1))
    await harness.finish([lease])
    assert await harness.take("w2") == []


async def test_a_claim_locks_several_profiles_at_once(harness: QueueHarness) -> None:
    names = [f"p{n}" for n in range(5)]
    await harness.producer.enqueue([ticket(f"j-{name}-{n}", profile_id=name) for n in range(2) for name in names])
    leases = await harness.take("w1", places(new=5, pages=1))
    fences = [lease.profile_fence or 0 for lease in leases]
    assert sorted(lease.profile_id or "" for lease in leases) == names
    assert len(set(fences)) == 5, "each lock has a fence of its own"
    assert int(await harness.client.hget("pw:{0}:meta", "fence")) == max(fences)
    assert await harness.inspection.check_consistency() == []
    await harness.later(50_000)
    await harness.consumer.reap()
    again = await harness.take("w2", places(new=5, pages=1))
    assert sorted(lease.profile_id or "" for lease in again) == names, "no lock outlives its holder"
    assert min(lease.profile_fence or 0 for lease in again) > max(fences)


async def test_a_dead_holder_loses_the_profile_with_its_jobs(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1", profile_id="p1"), ticket("j2", profile_id="p1")])
    lease = await harness.one("w1", places(new=1, pages=1))
    held = [("acme", "p1", lease.profile_fence or 0)]
    await harness.later(30_000)
    assert not (await harness.consumer.heartbeat("w1", [lease], held)).lost_profiles
    await harness.later(30_000)
    assert await harness.take("w2") == [], "the heartbeat kept it"
    await harness.later(20_000)
    await harness.consumer.reap()
    beat = await harness.consumer.heartbeat("w1", [lease], held)
    assert (set(beat.lost), set(beat.lost_profiles)) == ({lease.token}, set(held))
    claimed = await harness.consumer.claim("w1", places(WARM))
    assert not claimed.leases
    assert claimed.lost_profiles == {("acme", "p1")}
    await harness.later(2_000)
    free = await harness.take("w2")
    assert [lease.job_id for lease in free] == ["j2"], "j1 was there when a worker died: it enters alone"
    await harness.finish(free)
    assert (await harness.one("w2", places(("acme", "p1", 4)))).job_id == "j1"


async def test_a_lock_expires_even_if_its_claim_fails_in_the_middle(live_redis: RedisServer) -> None:
    async with open_harness(live_redis.port) as harness:
        await harness.producer.enqueue([ticket(f"j{n}", profile_id="p1") for n in range(2)])
        await harness.client.set("pw:{0}:waiting_contexts", "of another type")
        with pytest.raises(WrongType):
            await harness.take("w1", places(new=1, pages=1))
        await harness.client.delete("pw:{0}:waiting_contexts")
        assert await harness.client.exists("pw:{0}:profile:acme/p1")
        await harness.later(50_000)
        await harness.consumer.reap()
        assert not await harness.client.exists("pw:{0}:profile:acme/p1")


async def test_a_fence_never_falls_even_when_a_failover_takes_the_counter_back(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1", profile_id="p1"), ticket("j2", profile_id="p1")])
    first = await harness.one("w1", places(new=1, pages=1))
    await harness.finish([first])
    await harness.consumer.release_profile("w1", "acme", "p1", first.profile_fence or 0)
    await harness.client.hset("pw:{0}:meta", "fence", 0)
    assert ((await harness.one("w2")).profile_fence or 0) > (first.profile_fence or 0)


async def test_an_idle_holder_is_asked_and_a_busy_one_is_not(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1", profile_id="p1")])
    lease = await harness.one("w1", places(new=1, pages=1))
    held = [("acme", "p1", lease.profile_fence or 0)]
    await harness.producer.enqueue([ticket("j2", profile_id="p1")])
    await harness.later(1_500)
    await harness.take("w2")
    assert not (await harness.consumer.heartbeat("w1", [lease], held)).asked_profiles, "it is at work on it"
    await harness.finish([lease])
    await harness.later(1_500)
    await harness.take("w2")
    assert (await harness.consumer.heartbeat("w1", [], held)).asked_profiles == {("acme", "p1")}
    woken = await harness.consumer.wait("w1", 1)
    assert AskNotice("acme", "p1", lease.profile_fence or 0) in woken.control
    await harness.consumer.release_profile("w1", *held[0])
    assert (await harness.consumer.wait("w2", 1)).work
    assert (await harness.one("w2")).job_id == "j2"


async def test_a_full_profile_is_not_opened_in_another_runner(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"j{n}", profile_id="p1") for n in range(3)])
    await harness.take("w1", places(new=1, pages=1))
    assert await harness.take("w1", places(("acme", "p1", 0), new=3)) == []


async def test_an_exclusive_job_enters_an_empty_profile_only_and_keeps_it(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("bad", profile_id="p1")])
    lease = await harness.one("w1", places(new=1, pages=4))
    await harness.consumer.crash(lease, 10, b"{}")
    await harness.later(50)
    assert await harness.take("w1", places(("acme", "p1", 3))) == [], "another job is still in it"
    await harness.producer.enqueue([ticket(f"j{n}", profile_id="p1") for n in range(3)])
    assert await harness.take("w1", places(("acme", "p1", 3))) == [], "and no other job overtakes it"
    alone = await harness.one("w1", places(("acme", "p1", 4)))
    assert (alone.job_id, alone.exclusive) == ("bad", True)
    assert await harness.consumer.finish(alone, **DONE)
    assert len(await harness.take("w1", places(("acme", "p1", 4)))) == 3


async def test_an_exclusive_job_without_a_profile_has_a_runner_of_its_own(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("bad")])
    await harness.consumer.crash(await harness.one(), 10, b"{}")
    await harness.producer.enqueue([ticket(f"j{n}") for n in range(6)])
    await harness.later(50)
    full = await harness.consumer.claim("w1", places(("acme", None, 2)))
    assert [lease.job_id for lease in full.leases] == ["j0", "j1"], "never among others"
    assert ContextKey("acme") in full.wanted
    leases = await harness.take("w1", places(new=2, pages=3))
    assert sorted(lease.job_id for lease in leases) == ["bad", "j2", "j3", "j4"]
    assert await harness.drain(capacity=everything()) == ["j5"]


async def test_a_successor_takes_back_at_once_what_a_dead_worker_held(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"p{n}", profile_id="p1") for n in range(2)])
    await harness.producer.enqueue([ticket(f"e{n}", concurrency=100) for n in range(70)])
    await harness.take("w1.old", everything(71))
    await harness.producer.enqueue([ticket("other", "other")])
    kept = await harness.one("w2")
    assert await harness.consumer.disown_worker("w1.old") == 71
    assert await harness.consumer.disown_worker("w1.old") == 0
    await harness.consumer.forget_worker("w1.old")
    await harness.later(2_000)
    again = await harness.take("w1.new", everything(200)) + await harness.take("w1.new", everything(200))
    assert len(again) == 72 - 1, "p0 runs alone in its profile: not beside p1"
    assert {lease.crashes for lease in again} == {0, 1}
    assert not (await harness.consumer.heartbeat("w2", [kept])).lost


async def test_no_runner_slot_is_used_for_a_context_that_is_starting(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"j{n}") for n in range(3)])
    await harness.producer.enqueue([ticket("b-0", "b")])
    leases = await harness.take("w1", places(("acme", None, -1), new=4))
    assert [lease.job_id for lease in leases] == ["b-0"]
    leases = await harness.take("w1", places(("acme", None, -1), ("acme", None, 2), new=4))
    assert [lease.job_id for lease in leases] == ["j0", "j1"]
