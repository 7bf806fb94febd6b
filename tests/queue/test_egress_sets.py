"""Jobs whose modules may reach different hosts never share a runner: an egress set is part of the context's key."""

from pw_queue import DONE, QueueBench, everything, places, ticket

from pageworker_supervisor.contract.context_key import ContextKey, egress_digest, egress_set, parse_context
from pageworker_supervisor.queue.options import Capacity, ContextCapacity, FinishRequest, Lease

SHOP, BANK = egress_digest(["shop.test"]), egress_digest(["bank.test"])


def warm(*rooms: tuple[ContextKey, int], new: int = 0, limit: int = 100) -> Capacity:
    held = [ContextCapacity(context, free) for context, free in rooms]
    return Capacity(limit=limit, contexts=held, runner_slots=new, pages_per_room=4)


def names(leases: list[Lease]) -> list[str]:
    return [lease.job_id for lease in leases]


def test_a_digest_names_a_set_whatever_its_order_and_case() -> None:
    assert egress_digest(["b.test", "A.test."]) == egress_digest(["a.test", "b.test", "b.test"])
    assert egress_digest(["a.test"]) != egress_digest(["a.test", "b.test"])
    assert egress_set(["B.test", "a.test."]) == ("a.test", "b.test")


def test_a_context_is_read_as_it_was_written() -> None:
    for key in (ContextKey("t", "p-1.x", SHOP), ContextKey("t", None, BANK)):
        assert parse_context("t", key.text) == (key, False)
    assert parse_context("t", f"!{SHOP}") == (ContextKey("t", None, SHOP), True)


async def test_a_warm_runner_gets_jobs_of_its_own_set_only(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket(f"{set_}-{n}", egress=set_) for n in range(2) for set_ in (SHOP, BANK)])
    leases = await desk.take("w1", warm((ContextKey("acme", None, SHOP), 4)))
    assert names(leases) == [f"{SHOP}-0", f"{SHOP}-1"]
    assert {lease.egress for lease in leases} == {SHOP}
    claimed = await desk.engine.claim("w1", warm((ContextKey("acme", None, SHOP), 2)))
    assert [wanted.context for wanted in claimed.wanted] == [ContextKey("acme", None, BANK)]


async def test_another_set_takes_a_room_of_its_own(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket(f"{set_}-{n}", egress=set_) for n in range(3) for set_ in (SHOP, BANK)])
    assert {lease.egress for lease in await desk.take("w1", places(new=1))} == {SHOP}
    assert {lease.egress for lease in await desk.take("w1", places(new=1))} == {BANK}


async def test_a_token_wakes_who_holds_that_set(desk: QueueBench) -> None:
    for worker, set_ in (("w1", SHOP), ("w2", BANK)):
        await desk.engine.claim(worker, warm((ContextKey("acme", None, set_), 1)))
    await desk.engine.enqueue([ticket("j", egress=BANK)])
    assert (await desk.engine.wait("w2", 1)).work
    assert names(await desk.take("w2", warm((ContextKey("acme", None, BANK), 1)))) == ["j"]
    assert not (await desk.engine.wait("w1", 0.1)).work


async def test_a_crashed_job_runs_alone_with_its_own_set(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("bad", egress=SHOP)])
    await desk.engine.crash(await desk.one(), 10, b"{}")
    await desk.later(50)
    alone = await desk.one()
    assert (alone.exclusive, alone.egress) == (True, SHOP)


async def test_a_profile_is_open_with_one_set_and_the_other_waits(desk: QueueBench) -> None:
    await desk.engine.enqueue(
        [ticket(f"{set_}-{n}", profile_id="p1", egress=set_) for n in range(2) for set_ in (SHOP, BANK)]
    )
    first = await desk.take("w1", places(new=3))
    assert names(first) == [f"{SHOP}-0", f"{SHOP}-1"], "as many as there are of one set, none of the other"
    open_here = warm((ContextKey("acme", "p1", SHOP), 2), new=3)
    claimed = await desk.engine.claim("w1", open_here)
    assert not claimed.leases, "not even in a room of its own: the profile is open"
    assert [wanted.context for wanted in claimed.wanted] == [ContextKey("acme", "p1", BANK)]
    assert await desk.take("w2", everything()) == []
    await desk.finish(first)
    await desk.engine.release_profile("w1", "acme", "p1", first[0].profile_fence or 0)
    second = await desk.take("w2")
    assert names(second) == [f"{BANK}-0", f"{BANK}-1"]
    assert (second[0].profile_fence or 0) > (first[0].profile_fence or 0)


async def test_who_waited_longest_is_next_when_a_profile_is_released(desk: QueueBench) -> None:
    await desk.engine.enqueue(
        [ticket(f"{set_}-{n}", profile_id="p1", egress=set_) for n in range(9) for set_ in (SHOP, BANK)]
    )
    order = []
    for _ in range(6):
        await desk.later(10)
        leases = await desk.take("w1", places(new=1, pages=1))
        order += [lease.egress for lease in leases]
        await desk.finish(leases)
        await desk.engine.release_profile("w1", "acme", "p1", leases[0].profile_fence or 0)
    assert order == [SHOP, BANK] * 3


async def test_an_idle_holder_is_asked_for_the_other_set(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("a", profile_id="p1", egress=SHOP)])
    lease = await desk.one("w1", places(new=1))
    await desk.finish([lease])
    await desk.engine.enqueue([ticket("b", profile_id="p1", egress=BANK)])
    await desk.later(1_500)
    await desk.take("w2")
    held = [("acme", "p1", lease.profile_fence or 0)]
    assert (await desk.engine.heartbeat("w1", [], held)).asked_profiles == {("acme", "p1")}


async def test_a_job_whose_module_changed_is_moved_uncharged(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("j", egress=SHOP)])
    lease = await desk.one()
    assert await desk.engine.reassign(lease, BANK)
    assert await desk.engine.reassign(lease, BANK), "said twice is said once"
    assert await desk.take("w1", warm((ContextKey("acme", None, SHOP), 4))) == []
    (again,) = await desk.take("w1", warm((ContextKey("acme", None, BANK), 4)))
    assert (again.job_id, again.egress, again.attempt, again.crashes) == ("j", BANK, 1, 0)
    assert await desk.engine.finish(again, DONE)


async def test_a_job_that_two_workers_move_to_and_fro_makes_no_hot_loop(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("j", egress=SHOP)])
    turns = 0
    while leases := await desk.take():
        assert await desk.engine.reassign(leases[0], (BANK, SHOP)[turns % 2])
        turns += 1
        assert turns < 10
    assert turns == 3
    for wait_ms in (500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000):
        await desk.later(wait_ms - 50)
        assert await desk.take() == []
        await desk.later(50)
        assert await desk.engine.reassign(await desk.one(), BANK)


async def test_a_moved_job_of_a_profile_frees_nothing_that_is_not_its_own(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("j", profile_id="p1", egress=SHOP), ticket("k", profile_id="p1", egress=SHOP)])
    moved, kept = await desk.take("w1", places(new=1))
    assert await desk.engine.reassign(moved, BANK)
    held = [("acme", "p1", kept.profile_fence or 0)]
    assert not (await desk.engine.heartbeat("w1", [kept], held)).lost_profiles
    assert await desk.take("w2") == [], "k still runs, so the profile is open"
    assert await desk.engine.audit() == []


async def test_a_dead_letter_comes_back_to_its_set(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("j", egress=SHOP)])
    await desk.engine.finish(await desk.one(), FinishRequest(status="failed", result=b"{}", dead_letter=b"{}"))
    (letter,) = (await desk.engine.dead_list()).letters
    await desk.engine.dead_retry([letter.id])
    assert (await desk.one()).egress == SHOP
