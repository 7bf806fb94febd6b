"""A profile is open at one worker; its jobs go there, and it moves when the holder is idle and asked, or dead."""

from pw_queue import DONE, QueueBench, everything, places, ticket

from pageworker_supervisor.queue.options import AskNotice

WARM = ("acme", "p1", 1)


async def test_jobs_of_a_held_profile_wait_for_its_holder(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket(f"j{n}", profile_id="p1") for n in range(4)])
    lease = await desk.one("w1", places(new=1, pages=1))
    assert lease.profile_fence
    assert await desk.take("w2") == [], "no other worker sees them"
    assert await desk.take("w1", places(new=5)) == [], "nor does a new room of the holder"
    more = await desk.one("w1", places(WARM))
    assert more.profile_fence == lease.profile_fence
    await desk.finish([lease, more])
    assert await desk.drain("w1", places(WARM)) == ["j2", "j3"]


async def test_the_holder_is_served_in_its_tenants_turn(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket(f"p-{n}", profile_id="p1") for n in range(10)])
    first = await desk.one("w1", places(new=1, pages=1))
    await desk.engine.enqueue([ticket(f"e-{n}") for n in range(10)])
    order = []
    for _ in range(10):
        lease = await desk.one("w1", places(("acme", "p1", 1), ("acme", None, 1), limit=1))
        order.append(lease.profile_id)
        await desk.finish([lease])
    assert order.count("p1") == 5
    await desk.finish([first])


async def test_a_profile_is_free_when_it_is_released(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("j1", profile_id="p1"), ticket("j2", profile_id="p1")])
    lease = await desk.one("w1", places(new=1, pages=1))
    await desk.finish([lease])
    fence = lease.profile_fence or 0
    assert await desk.engine.release_profile("w1", "acme", "p1", fence + 1) is False
    assert await desk.engine.release_profile("w1", "acme", "p1", fence) is True
    assert await desk.engine.release_profile("w1", "acme", "p1", fence) is False
    moved = await desk.one("w2")
    assert (moved.profile_fence or 0) > fence


async def test_a_dead_holder_loses_the_profile_with_its_jobs(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("j1", profile_id="p1"), ticket("j2", profile_id="p1")])
    lease = await desk.one("w1", places(new=1, pages=1))
    held = [("acme", "p1", lease.profile_fence or 0)]
    await desk.later(30_000)
    assert not (await desk.engine.heartbeat("w1", [lease], held)).lost_profiles
    await desk.later(30_000)
    assert await desk.take("w2") == [], "the heartbeat kept it"
    await desk.later(20_000)
    await desk.engine.reap()
    beat = await desk.engine.heartbeat("w1", [lease], held)
    assert (set(beat.lost), set(beat.lost_profiles)) == ({lease.token}, {("acme", "p1")})
    claimed = await desk.engine.claim("w1", places(WARM))
    assert not claimed.leases
    assert claimed.lost_profiles == {("acme", "p1")}
    await desk.later(2_000)
    free = await desk.take("w2")
    assert [lease.job_id for lease in free] == ["j2"], "j1 was there when a worker died: it enters alone"
    await desk.finish(free)
    assert (await desk.one("w2", places(("acme", "p1", 4)))).job_id == "j1"


async def test_a_fence_never_falls_even_when_a_failover_takes_the_counter_back(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("j1", profile_id="p1"), ticket("j2", profile_id="p1")])
    first = await desk.one("w1", places(new=1, pages=1))
    await desk.finish([first])
    await desk.engine.release_profile("w1", "acme", "p1", first.profile_fence or 0)
    await desk.client.hset("pw:{0}:meta", "fence", 0)
    assert ((await desk.one("w2")).profile_fence or 0) > (first.profile_fence or 0)


async def test_an_idle_holder_is_asked_and_a_busy_one_is_not(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("j1", profile_id="p1")])
    lease = await desk.one("w1", places(new=1, pages=1))
    held = [("acme", "p1", lease.profile_fence or 0)]
    await desk.engine.enqueue([ticket("j2", profile_id="p1")])
    await desk.later(1_500)
    await desk.take("w2")
    assert not (await desk.engine.heartbeat("w1", [lease], held)).asked_profiles, "it is at work on it"
    await desk.finish([lease])
    await desk.later(1_500)
    await desk.take("w2")
    assert (await desk.engine.heartbeat("w1", [], held)).asked_profiles == {("acme", "p1")}
    woken = await desk.engine.wait("w1", 1)
    assert AskNotice("acme", "p1", lease.profile_fence or 0) in woken.control
    await desk.engine.release_profile("w1", *held[0])
    assert (await desk.engine.wait("w2", 1)).work
    assert (await desk.one("w2")).job_id == "j2"


async def test_a_full_profile_is_not_opened_in_another_room(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket(f"j{n}", profile_id="p1") for n in range(3)])
    await desk.take("w1", places(new=1, pages=1))
    assert await desk.take("w1", places(("acme", "p1", 0), new=3)) == []


async def test_a_solo_job_enters_an_empty_profile_only_and_keeps_it(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("bad", profile_id="p1")])
    lease = await desk.one("w1", places(new=1, pages=4))
    await desk.engine.crash(lease, 10, b"{}")
    await desk.later(50)
    assert await desk.take("w1", places(("acme", "p1", 3))) == [], "somebody is still in there"
    await desk.engine.enqueue([ticket(f"j{n}", profile_id="p1") for n in range(3)])
    assert await desk.take("w1", places(("acme", "p1", 3))) == [], "and nobody overtakes it"
    alone = await desk.one("w1", places(("acme", "p1", 4)))
    assert (alone.job_id, alone.exclusive) == ("bad", True)
    assert await desk.engine.finish(alone, DONE)
    assert len(await desk.take("w1", places(("acme", "p1", 4)))) == 3


async def test_a_solo_job_without_a_profile_has_a_room_of_its_own(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("bad")])
    await desk.engine.crash(await desk.one(), 10, b"{}")
    await desk.engine.enqueue([ticket(f"j{n}") for n in range(6)])
    await desk.later(50)
    full = await desk.engine.claim("w1", places(("acme", None, 2)))
    assert [lease.job_id for lease in full.leases] == ["j0", "j1"], "never among others"
    assert ("acme", True) in [(wanted.context.tenant_id, wanted.solo) for wanted in full.wanted]
    leases = await desk.take("w1", places(new=2, pages=3))
    assert sorted(lease.job_id for lease in leases) == ["bad", "j2", "j3", "j4"]
    assert await desk.drain(capacity=everything()) == ["j5"]


async def test_a_successor_takes_back_at_once_what_a_dead_worker_held(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket(f"p{n}", profile_id="p1") for n in range(2)])
    await desk.engine.enqueue([ticket(f"e{n}", concurrency=100) for n in range(70)])
    await desk.take("w1.old", everything(71))
    await desk.engine.enqueue([ticket("other", "other")])
    kept = await desk.one("w2")
    assert await desk.engine.disown_worker("w1.old") == 71
    assert await desk.engine.disown_worker("w1.old") == 0
    await desk.engine.forget_worker("w1.old")
    await desk.later(2_000)
    again = await desk.take("w1.new", everything(200)) + await desk.take("w1.new", everything(200))
    assert len(again) == 72 - 1, "p0 runs alone in its profile: not beside p1"
    assert {lease.crashes for lease in again} == {0, 1}
    assert not (await desk.engine.heartbeat("w2", [kept])).lost


async def test_no_room_is_opened_for_a_context_that_is_coming_up(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket(f"j{n}") for n in range(3)])
    await desk.engine.enqueue([ticket("b-0", "b")])
    leases = await desk.take("w1", places(("acme", None, -1), new=4))
    assert [lease.job_id for lease in leases] == ["b-0"]
    leases = await desk.take("w1", places(("acme", None, -1), ("acme", None, 2), new=4))
    assert [lease.job_id for lease in leases] == ["j0", "j1"]
