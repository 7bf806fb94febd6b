"""Where jobs may run: cases, then a simulated fleet under hypothesis."""

from dataclasses import dataclass, replace
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.queue.capacity import ContextCapacity
from pageworker_supervisor.runners.placement import (
    LINGER_SECONDS,
    LONGEST_RESIDENCY_SECONDS,
    NO_ROOM_EITHER,
    STARTS_IDLE,
    STARTS_RESIDENT,
    PoolRules,
    RunnerSlot,
    Spawn,
    Use,
    capacity,
    evictable,
    next_evictable_in,
    place,
    select_eviction,
)

RULES = PoolRules(runners=2, pages=2, residency_seconds=2.0)


def seat(
    name: str,
    tenant: str,
    *,
    profile: str | None = None,
    taken: int = 0,
    since: float = 0.0,
    is_open: bool = True,
    used: float | None = None,
) -> RunnerSlot:
    return RunnerSlot(
        name, ContextKey(tenant, profile), RULES.pages, taken, is_open, since, since if used is None else used
    )


def test_an_empty_worker_has_only_rooms() -> None:
    found = capacity([], RULES, 10.0, 32)
    assert (found.limit, found.runner_slots, list(found.contexts)) == (4, 2, [])


def test_a_warm_context_is_used_before_a_new_one_is_made() -> None:
    assert place([seat("a", "t", taken=1)], RULES, 10.0, ContextKey("t")) == Use("a")


def test_a_tenant_with_full_pages_may_spread_while_there_is_room() -> None:
    assert place([seat("a", "t", taken=2)], RULES, 10.0, ContextKey("t")) == Spawn(evict=None)


def test_nobody_at_work_is_sent_away_for_another_tenant() -> None:
    """docker-selenium#1423: scaling down killed nodes that were at work."""
    seats = [seat("a", "t", taken=1), seat("b", "u", taken=2)]
    assert evictable(seats, RULES, 100.0) == []
    assert place(seats, RULES, 100.0, ContextKey("v")) is None


def test_a_profile_is_never_opened_twice() -> None:
    seats = [seat("a", "t", profile="p", taken=2)]
    assert place(seats, RULES, 10.0, ContextKey("t", "p")) is None
    named = {room.context: room.free_pages for room in capacity(seats, RULES, 10.0, 32).contexts}
    assert named == {ContextKey("t", "p"): 0}


def test_an_idle_runner_makes_room_after_a_moment() -> None:
    """A room that nobody uses, kept from a context that waits, would be wasted."""
    seats = [seat("a", "t", taken=1), seat("b", "u", since=9.0, used=9.9)]
    assert place(seats, RULES, 10.0, ContextKey("v")) is None
    assert place(seats, RULES, 10.15, ContextKey("v")) == Spawn(evict="b")


def test_an_idle_runner_that_has_had_its_residency_makes_room_at_once() -> None:
    seats = [seat("a", "t", taken=1), seat("b", "u", since=8.0, used=9.9)]
    assert place(seats, RULES, 10.0, ContextKey("v")) == Spawn(evict="b")


def costly(
    name: str, tenant: str, *, taken: int = 0, since: float = 0.0, used: float, comes_back: bool = False
) -> RunnerSlot:
    """A runner whose start took a second."""
    return replace(seat(name, tenant, taken=taken, since=since, used=used), start_seconds=1.0, comes_back=comes_back)


def test_a_busy_runner_stays_for_several_times_as_long_as_its_start_took() -> None:
    seats = [costly("a", "t", taken=1, since=5.0, used=9.0), costly("b", "u", taken=1, since=6.0, used=9.0)]
    assert select_eviction(seats, RULES, 9.9, ContextKey("v")) is None
    assert select_eviction(seats, RULES, 5.0 + STARTS_RESIDENT, ContextKey("v")) == "a"


def test_no_start_is_so_dear_that_nobody_else_gets_a_turn() -> None:
    slow = [replace(one, start_seconds=60.0, taken=1) for one in (seat("a", "t"), seat("b", "u"))]
    assert select_eviction(slow, RULES, LONGEST_RESIDENCY_SECONDS - 0.1, ContextKey("v")) is None
    assert select_eviction(slow, RULES, LONGEST_RESIDENCY_SECONDS, ContextKey("v")) == "a"


def test_an_idle_runner_whose_context_comes_back_is_kept_for_what_its_start_cost() -> None:
    """Five tenants with a job every second on four runners: each job would cost a start."""
    seats = [seat("a", "t", taken=1), costly("b", "u", since=9.0, used=10.0, comes_back=True)]
    assert evictable(seats, RULES, 10.0 + STARTS_IDLE - 0.1) == []
    assert place(seats, RULES, 10.0 + STARTS_IDLE, ContextKey("v")) == Spawn(evict="b")
    once = [seats[0], replace(seats[1], comes_back=False)]
    assert place(once, RULES, 10.0 + LINGER_SECONDS, ContextKey("v")) == Spawn(evict="b")


def test_a_page_that_is_being_recycled_is_no_reason_to_start_a_runner() -> None:
    seats = [replace(seat("a", "t", taken=2), recycling=1)]
    (room,) = capacity(seats, RULES, 10.0, 32).contexts
    assert room.free_pages == NO_ROOM_EITHER
    assert capacity([seat("a", "t", taken=2)], RULES, 10.0, 32).contexts == (), "nor is it kept from spreading else"


def test_no_slot_is_offered_while_no_runner_can_be_started() -> None:
    seats = [seat("a", "t", taken=1), seat("b", "u", used=1.0)]
    offer = capacity(seats, RULES, 10.0, 32, starts=False)
    assert (offer.runner_slots, offer.limit) == (0, 3), "only the free pages of what is up"
    assert not any(room.idle for room in offer.contexts)


def test_nobody_is_replaced_for_a_context_that_may_not_come_up() -> None:
    seats = [seat("a", "t", taken=1), seat("b", "u", used=1.0)]
    assert place(seats, RULES, 10.0, ContextKey("v")) == Spawn(evict="b")
    assert place(seats, RULES, 10.0, ContextKey("v"), careful=True) is None
    assert place(seats[:1], RULES, 10.0, ContextKey("v"), careful=True) == Spawn(evict=None)


def test_broken_contexts_are_named_beside_the_held_ones() -> None:
    broken = ContextCapacity(ContextKey("v", "p"), 3, refused=True)
    offer = capacity([seat("a", "t", taken=2), seat("b", "u", taken=2)], RULES, 10.0, 32, broken=(broken,))
    assert (offer.limit, offer.runner_slots, offer.contexts) == (3, 0, (broken,))


def test_a_runner_that_comes_up_makes_no_room() -> None:
    seats = [seat("a", "t", taken=1), seat("b", "u", since=inf, used=1.0)]
    assert place(seats, RULES, 10.0, ContextKey("v")) is None


def test_a_worker_that_is_busy_with_others_retires_the_one_that_has_been_here_longest() -> None:
    seats = [seat("a", "t", taken=2, since=5.0), seat("b", "u", taken=1, since=1.0)]
    assert select_eviction(seats, RULES, 10.0, ContextKey("v")) == "b"


def test_a_tenant_of_many_contexts_replaces_its_own_runners_first() -> None:
    """Sets of hosts, and profiles, cost their own tenant a browser start, not another one."""
    idle = [seat("b", "u", since=8.0, used=1.0), seat("a", "t", since=8.0, used=9.0)]
    assert place(idle, RULES, 20.0, ContextKey("t", "other")) == Spawn(evict="a")
    assert place(idle, RULES, 20.0, ContextKey("v")) == Spawn(evict="b")
    busy = [seat("b", "u", taken=1, since=1.0), seat("a", "t", taken=1, since=5.0)]
    assert select_eviction(busy, RULES, 20.0, ContextKey("t", "other")) == "a"
    assert select_eviction(busy, RULES, 20.0, ContextKey("v")) == "b"
    most = [*busy, seat("c", "t", profile="p", taken=1, since=9.0)]
    assert select_eviction(most, PoolRules(3, 2, 2.0), 20.0, ContextKey("v")) == "a"
    assert select_eviction(most, PoolRules(3, 2, 2.0), 20.0, ContextKey("u", "other")) == "a"


def test_one_retirement_at_a_time() -> None:
    seats = [seat("a", "t", taken=2), seat("b", "u", taken=1, is_open=False)]
    assert select_eviction(seats, RULES, 10.0, ContextKey("v")) is None


def test_nobody_is_retired_for_a_context_that_is_here() -> None:
    seats = [seat("a", "t", taken=2), seat("b", "u", taken=2)]
    assert select_eviction(seats, RULES, 10.0, ContextKey("t")) is None


def test_a_job_that_must_run_alone_takes_an_empty_runner() -> None:
    seats = [seat("a", "t", taken=1), seat("b", "t", taken=0)]
    assert place(seats, RULES, 10.0, ContextKey("t"), solo=True) == Use("b")


def test_a_tenant_gets_its_next_runner_when_this_one_has_come_up() -> None:
    seats = [seat("a", "t", taken=2, since=inf)]
    (room,) = capacity(seats, RULES, 10.0, 32).contexts
    assert room.free_pages == NO_ROOM_EITHER


def test_a_runner_that_is_coming_up_is_not_asked_to_leave() -> None:
    seats = [seat("a", "t", taken=2, since=inf), seat("b", "u", taken=1, since=inf)]
    assert select_eviction(seats, RULES, 10.0, ContextKey("v")) is None
    assert evictable([seat("a", "t", since=inf)], RULES, 10.0) == []


def test_time_alone_makes_room() -> None:
    busy = [seat("a", "t", since=9.0, taken=1), seat("b", "u", since=8.5, taken=1)]
    never = [seat("c", "v", since=inf), seat("d", "w", since=1.0)]
    assert next_evictable_in([*busy, *never], RULES, 10.0) == 0.5
    assert next_evictable_in([*busy, seat("e", "x", since=9.0, used=9.875)], RULES, 10.0) == 0.125
    assert next_evictable_in(never, RULES, 10.0) is None


@dataclass
class SimulatedFleet:
    seats: list[RunnerSlot]

    def apply(self, context: ContextKey, now: float) -> bool:
        match place(self.seats, RULES, now, context):
            case None:
                return False
            case Spawn(evict):
                self.seats = [s for s in self.seats if s.runner_id != evict]
                self.seats.append(RunnerSlot(f"r{now}", context, RULES.pages, 1, True, now, now))
            case Use(name):
                self.seats = [
                    RunnerSlot(s.runner_id, s.context, s.pages, s.taken + (s.runner_id == name), s.open, s.since, now)
                    for s in self.seats
                ]
        return True


contexts = st.builds(ContextKey, st.sampled_from(["a", "b", "c"]), st.sampled_from([None, "p", "q"]))


@given(st.lists(contexts, max_size=40))
def test_the_fleet_keeps_its_limits(wanted: list[ContextKey]) -> None:
    fleet = SimulatedFleet([])
    for number, context in enumerate(wanted):
        before = capacity(fleet.seats, RULES, float(number), 32)
        placed = fleet.apply(context, float(number))
        assert len(fleet.seats) <= RULES.runners
        assert all(0 <= s.taken <= s.pages for s in fleet.seats)
        profiles = [s.context.profile for s in fleet.seats if s.context.profile is not None]
        assert len(profiles) == len(set(profiles))
        if placed:
            assert before.runner_slots or any(room.free_pages for room in before.contexts)


@given(st.lists(contexts, max_size=40), contexts)
def test_what_capacity_offers_can_be_placed(history: list[ContextKey], wanted: ContextKey) -> None:
    fleet = SimulatedFleet([])
    for number, context in enumerate(history):
        fleet.apply(context, float(number))
    now = 100.0
    offer = capacity(fleet.seats, RULES, now, 32)
    held = {room.context: room.free_pages for room in offer.contexts}
    others = [s for s in evictable(fleet.seats, RULES, now) if s.context != wanted]
    if held.get(wanted) or (wanted not in held and (len(fleet.seats) < RULES.runners or others)):
        assert fleet.apply(wanted, now)
