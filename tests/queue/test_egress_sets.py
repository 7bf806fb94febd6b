"""Jobs whose modules may reach different hosts never share a runner: an egress set is part of the context's key."""

from pw_queue import DONE, QueueHarness, everything, places, ticket

from pageworker_supervisor.contract.context_key import ContextKey, egress_digest
from pageworker_supervisor.contract.isolation import Isolation
from pageworker_supervisor.queue.claim import Capacity, ContextCapacity, Lease

SHOP, BANK = egress_digest(["shop.test"]), egress_digest(["bank.test"])
TO_SHOP, TO_BANK = ContextKey("acme", None, SHOP), ContextKey("acme", None, BANK)


def warm(*contexts: tuple[ContextKey, int], new: int = 0, limit: int = 100) -> Capacity:
    held = [ContextCapacity(context, free) for context, free in contexts]
    return Capacity(limit=limit, contexts=held, runner_slots=new, pages_per_runner=4)


def names(leases: list[Lease]) -> list[str]:
    return [lease.job_id for lease in leases]


async def test_a_warm_runner_gets_jobs_of_its_own_set_only(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"{set_}-{n}", egress=set_) for n in range(2) for set_ in (SHOP, BANK)])
    leases = await harness.take("w1", warm((ContextKey("acme", None, SHOP), 4)))
    assert names(leases) == [f"{SHOP}-0", f"{SHOP}-1"]
    assert {lease.egress for lease in leases} == {SHOP}
    claimed = await harness.consumer.claim("w1", warm((ContextKey("acme", None, SHOP), 2)))
    assert list(claimed.wanted) == [ContextKey("acme", None, BANK)]


async def test_another_set_takes_a_runner_slot_of_its_own(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"{set_}-{n}", egress=set_) for n in range(3) for set_ in (SHOP, BANK)])
    assert {lease.egress for lease in await harness.take("w1", places(new=1))} == {SHOP}
    assert {lease.egress for lease in await harness.take("w1", places(new=1))} == {BANK}


async def test_a_token_wakes_who_holds_that_set(harness: QueueHarness) -> None:
    for worker, set_ in (("w1", SHOP), ("w2", BANK)):
        await harness.consumer.claim(worker, warm((ContextKey("acme", None, set_), 1)))
    await harness.producer.enqueue([ticket("j", egress=BANK)])
    assert (await harness.consumer.wait("w2", 1)).work
    assert names(await harness.take("w2", warm((ContextKey("acme", None, BANK), 1)))) == ["j"]
    assert not (await harness.consumer.wait("w1", 0.1)).work


async def test_a_crashed_job_runs_alone_with_its_own_set(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("bad", egress=SHOP)])
    await harness.consumer.crash(await harness.one(), 10, b"{}")
    await harness.later(50)
    alone = await harness.one()
    assert (alone.exclusive, alone.egress) == (True, SHOP)


async def test_a_profile_is_open_with_one_set_and_the_other_waits(harness: QueueHarness) -> None:
    await harness.producer.enqueue(
        [ticket(f"{set_}-{n}", profile_id="p1", egress=set_) for n in range(2) for set_ in (SHOP, BANK)]
    )
    first = await harness.take("w1", places(new=3))
    assert names(first) == [f"{SHOP}-0", f"{SHOP}-1"], "as many as there are of one set, none of the other"
    open_here = warm((ContextKey("acme", "p1", SHOP), 2), new=3)
    claimed = await harness.consumer.claim("w1", open_here)
    assert not claimed.leases, "not even in a runner of its own: the profile is open"
    assert list(claimed.wanted) == [ContextKey("acme", "p1", BANK)]
    assert await harness.take("w2", everything()) == []
    await harness.finish(first)
    await harness.consumer.release_profile("w1", "acme", "p1", first[0].profile_fence or 0)
    second = await harness.take("w2")
    assert names(second) == [f"{BANK}-0", f"{BANK}-1"]
    assert (second[0].profile_fence or 0) > (first[0].profile_fence or 0)


async def test_a_claim_names_the_first_few_sets_that_wait_for_a_profile(harness: QueueHarness) -> None:
    """A module author can publish a version with other hosts for each job: what each claim costs does not grow."""
    sets = [egress_digest([f"{n}.test"]) for n in range(200)]
    first, *others = sets
    await harness.producer.enqueue([ticket(f"j-{set_}", profile_id="p1", egress=set_) for set_ in sets])
    leases = await harness.take("w1", places(new=1))
    assert [lease.egress for lease in leases] == [first]
    before = (await harness.client.info("stats"))["total_commands_processed"]
    claimed = await harness.consumer.claim("w1", warm((ContextKey("acme", "p1", first), 2), new=3))
    after = (await harness.client.info("stats"))["total_commands_processed"]
    assert 1 <= len(claimed.wanted) <= 4
    assert {context.egress for context in claimed.wanted} <= set(others)
    assert after - before < 60
    await harness.finish(leases)


async def test_who_waited_longest_is_next_when_a_profile_is_released(harness: QueueHarness) -> None:
    await harness.producer.enqueue(
        [ticket(f"{set_}-{n}", profile_id="p1", egress=set_) for n in range(9) for set_ in (SHOP, BANK)]
    )
    order = []
    for _ in range(6):
        await harness.later(10)
        leases = await harness.take("w1", places(new=1, pages=1))
        order += [lease.egress for lease in leases]
        await harness.finish(leases)
        await harness.consumer.release_profile("w1", "acme", "p1", leases[0].profile_fence or 0)
    assert order == [SHOP, BANK] * 3


async def test_an_idle_holder_is_asked_for_the_other_set(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("a", profile_id="p1", egress=SHOP)])
    lease = await harness.one("w1", places(new=1))
    await harness.finish([lease])
    await harness.producer.enqueue([ticket("b", profile_id="p1", egress=BANK)])
    await harness.later(1_500)
    await harness.take("w2")
    held = [("acme", "p1", lease.profile_fence or 0)]
    assert (await harness.consumer.heartbeat("w1", [], held)).asked_profiles == {("acme", "p1")}


async def test_a_job_whose_module_changed_is_moved_uncharged(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j", egress=SHOP)])
    lease = await harness.one()
    assert await harness.consumer.reassign(lease, TO_BANK)
    assert await harness.consumer.reassign(lease, TO_BANK), "said twice is said once"
    assert await harness.take("w1", warm((ContextKey("acme", None, SHOP), 4))) == []
    (again,) = await harness.take("w1", warm((ContextKey("acme", None, BANK), 4)))
    assert (again.job_id, again.egress, again.attempt, again.crashes) == ("j", BANK, 1, 0)
    assert await harness.consumer.finish(again, **DONE)


async def test_a_job_that_two_workers_move_to_and_fro_makes_no_hot_loop(harness: QueueHarness) -> None:
    await harness.stop_clock()
    await harness.producer.enqueue([ticket("j", egress=SHOP)])
    turns = 0
    while leases := await harness.take():
        assert await harness.consumer.reassign(leases[0], (TO_BANK, TO_SHOP)[turns % 2])
        turns += 1
        assert turns < 10
    assert turns == 3
    for wait_ms in (500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000):
        await harness.later(wait_ms - 1)
        assert await harness.take() == []
        await harness.later(1)
        assert await harness.consumer.reassign(await harness.one(), TO_BANK)


async def test_a_moved_job_of_a_profile_frees_nothing_that_is_not_its_own(harness: QueueHarness) -> None:
    await harness.producer.enqueue(
        [ticket("j", profile_id="p1", egress=SHOP), ticket("k", profile_id="p1", egress=SHOP)]
    )
    moved, kept = await harness.take("w1", places(new=1))
    assert await harness.consumer.reassign(moved, TO_BANK)
    held = [("acme", "p1", kept.profile_fence or 0)]
    assert not (await harness.consumer.heartbeat("w1", [kept], held)).lost_profiles
    assert await harness.take("w2") == [], "k still runs, so the profile is open"
    assert await harness.inspection.check_consistency() == []


async def test_a_dead_letter_comes_back_to_its_set(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j", egress=SHOP)])
    await harness.consumer.finish(await harness.one(), status="failed", result=b"{}", dead_letter=b"{}")
    (letter,) = (await harness.dead_letters.page()).letters
    await harness.dead_letters.retry([letter.id])
    assert (await harness.one()).egress == SHOP


async def test_jobs_with_other_options_never_share_a_runner(harness: QueueHarness) -> None:
    plain, german = ContextKey("acme", None, SHOP), ContextKey("acme", None, SHOP, "0123456789ab")
    await harness.producer.enqueue([ticket("a", egress=SHOP), ticket("b", egress=SHOP, options=german.options)])
    assert names(await harness.take("w1", warm((german, 4)))) == ["b"]
    claimed = await harness.consumer.claim("w1", warm((german, 4)))
    assert list(claimed.wanted) == [plain]
    assert names(await harness.take("w1", warm((plain, 4)))) == ["a"]


async def test_a_profile_is_open_with_one_set_of_options(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("a", profile_id="p1"), ticket("b", profile_id="p1", options="0123456789ab")])
    first = await harness.take("w1", places(new=3))
    assert [(lease.job_id, lease.options) for lease in first] == [("a", "")]
    assert await harness.take("w1", warm((first[0].context, 1), new=3)) == [], "the profile is open"
    await harness.finish(first)
    await harness.consumer.release_profile("w1", "acme", "p1", first[0].profile_fence or 0)
    assert [(lease.job_id, lease.options) for lease in await harness.take("w2")] == [("b", "0123456789ab")]


async def test_options_stay_with_a_job_that_crashes_moves_or_comes_back(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j", egress=SHOP)])
    isolation = Isolation(one_job=True)
    key = ContextKey("acme", None, SHOP, "0123456789ab", isolation=isolation)
    assert await harness.consumer.reassign(await harness.one(), key)
    await harness.consumer.crash(await harness.one(), 10, b"{}")
    await harness.later(50)
    alone = await harness.one()
    assert (alone.exclusive, alone.egress, alone.options) == (True, SHOP, "0123456789ab")
    assert alone.context == key
    await harness.consumer.finish(alone, status="failed", result=b"{}", dead_letter=b"{}")
    (letter,) = (await harness.dead_letters.page()).letters
    await harness.dead_letters.retry([letter.id])
    assert (await harness.one()).context == key
