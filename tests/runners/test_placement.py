"""Where jobs may run: cases, and a simulated fleet under hypothesis."""

from dataclasses import dataclass, replace
from math import inf

from hypothesis import given
from hypothesis import strategies as st
from pw_runner.slots import RULES, slot

from pageworker_supervisor.contract.context_key import ContextKey, egress_digest
from pageworker_supervisor.queue.claim import ContextCapacity
from pageworker_supervisor.runners.placement import (
    LINGER_SECONDS,
    LONGEST_RESIDENCY_SECONDS,
    NO_RUNNER_SLOT,
    STARTS_IDLE,
    STARTS_RESIDENT,
    PendingPlacement,
    PoolRules,
    RunnerSlot,
    Spawn,
    Use,
    capacity,
    evictable,
    holder_with_other_values,
    may_retire,
    next_evictable_in,
    place,
    select_retirement,
    with_pending,
)

OTHER = egress_digest(["other.test"])


def test_an_empty_worker_has_only_runner_slots() -> None:
    found = capacity([], RULES, 10.0, 32)
    assert (found.limit, found.runner_slots, list(found.contexts)) == (4, 2, [])


def test_a_warm_context_is_used_before_a_new_one_is_made() -> None:
    assert place([slot("a", "t", taken=1)], RULES, 10.0, ContextKey("t")) == Use("a")


def test_a_runner_whose_policy_allows_one_page_is_expected_with_one() -> None:
    rules = replace(RULES, one_page=frozenset({"each"}))
    one, usual = ContextKey("t", proxy="each"), ContextKey("t", proxy="p")
    assert (rules.pages_of(one), rules.pages_of(usual)) == (1, RULES.pages)
    pending = [PendingPlacement(one, exclusive=False)] * 2
    assert [each.pages for each in with_pending([], rules, 10.0, pending)] == [1, 1], "no page is left for the second"
    assert len(with_pending([], rules, 10.0, [PendingPlacement(usual, exclusive=False)] * 2)) == 1
    assert capacity([], rules, 10.0, 32).pages_of(one) == 1
    budgeted = ContextKey("t", one_page=True)
    assert (rules.pages_of(budgeted), capacity([], rules, 10.0, 32).pages_of(budgeted)) == (1, 1)


def test_a_tenant_with_full_pages_gets_another_runner_while_a_slot_is_free() -> None:
    assert place([slot("a", "t", taken=2)], RULES, 10.0, ContextKey("t")) == Spawn(evict=None)


def test_a_busy_runner_is_not_replaced_for_another_tenant() -> None:
    """docker-selenium#1423: scaling down killed nodes that were at work."""
    slots = [slot("a", "t", taken=1), slot("b", "u", taken=2)]
    assert evictable(slots, RULES, 100.0) == []
    assert place(slots, RULES, 100.0, ContextKey("v")) is None


def test_a_profile_is_never_opened_twice() -> None:
    slots = [slot("a", "t", profile="p", taken=2)]
    assert place(slots, RULES, 10.0, ContextKey("t", "p")) is None
    named = {
        held_context.context: held_context.free_pages for held_context in capacity(slots, RULES, 10.0, 32).contexts
    }
    assert named == {ContextKey("t", "p"): 0}


def test_an_idle_runner_is_replaced_after_a_moment() -> None:
    """An idle slot beside a context that waits would be wasted."""
    slots = [slot("a", "t", taken=1), slot("b", "u", since=9.0, used=9.9)]
    assert place(slots, RULES, 10.0, ContextKey("v")) is None
    assert place(slots, RULES, 10.15, ContextKey("v")) == Spawn(evict="b")


def test_an_idle_runner_that_has_had_its_minimum_time_is_replaced_at_once() -> None:
    slots = [slot("a", "t", taken=1), slot("b", "u", since=8.0, used=9.9)]
    assert place(slots, RULES, 10.0, ContextKey("v")) == Spawn(evict="b")


def costly(
    name: str, tenant: str, *, taken: int = 0, since: float = 0.0, used: float, comes_back: bool = False
) -> RunnerSlot:
    """A runner whose start took a second."""
    return replace(slot(name, tenant, taken=taken, since=since, used=used), start_seconds=1.0, comes_back=comes_back)


def test_a_busy_runner_stays_for_several_times_as_long_as_its_start_took() -> None:
    slots = [costly("a", "t", taken=1, since=5.0, used=9.0), costly("b", "u", taken=1, since=6.0, used=9.0)]
    assert select_retirement(slots, RULES, 9.9, ContextKey("v")) is None
    assert select_retirement(slots, RULES, 5.0 + STARTS_RESIDENT, ContextKey("v")) == "a"


def test_no_start_is_so_slow_that_no_other_tenant_gets_a_slot() -> None:
    slow = [replace(one, start_seconds=60.0, taken=1) for one in (slot("a", "t"), slot("b", "u"))]
    assert select_retirement(slow, RULES, LONGEST_RESIDENCY_SECONDS - 0.1, ContextKey("v")) is None
    assert select_retirement(slow, RULES, LONGEST_RESIDENCY_SECONDS, ContextKey("v")) == "a"


def test_an_idle_runner_whose_context_comes_back_is_kept_for_what_its_start_cost() -> None:
    """Five tenants with a job every second on four runners: each job would cost a start."""
    slots = [slot("a", "t", taken=1), costly("b", "u", since=9.0, used=10.0, comes_back=True)]
    assert evictable(slots, RULES, 10.0 + STARTS_IDLE - 0.1) == []
    assert place(slots, RULES, 10.0 + STARTS_IDLE, ContextKey("v")) == Spawn(evict="b")
    once = [slots[0], replace(slots[1], comes_back=False)]
    assert place(once, RULES, 10.0 + LINGER_SECONDS, ContextKey("v")) == Spawn(evict="b")


def test_a_page_that_is_being_recycled_is_no_reason_to_start_a_runner() -> None:
    slots = [replace(slot("a", "t", taken=2), recycling=1)]
    (held_context,) = capacity(slots, RULES, 10.0, 32).contexts
    assert held_context.free_pages == NO_RUNNER_SLOT
    assert capacity([slot("a", "t", taken=2)], RULES, 10.0, 32).contexts == (), (
        "without a page that is recycled it may have another runner"
    )


def test_no_slot_is_offered_while_no_runner_can_be_started() -> None:
    slots = [slot("a", "t", taken=1), slot("b", "u", used=1.0)]
    offer = capacity(slots, RULES, 10.0, 32, starts=False)
    assert (offer.runner_slots, offer.limit) == (0, 3), "only the free pages of what is up"
    assert not any(held_context.idle for held_context in offer.contexts)


def test_no_runner_is_replaced_for_a_context_that_may_not_come_up() -> None:
    slots = [slot("a", "t", taken=1), slot("b", "u", used=1.0)]
    assert place(slots, RULES, 10.0, ContextKey("v")) == Spawn(evict="b")
    assert place(slots, RULES, 10.0, ContextKey("v"), careful=True) is None
    assert place(slots[:1], RULES, 10.0, ContextKey("v"), careful=True) == Spawn(evict=None)


def test_broken_contexts_are_named_beside_the_held_ones() -> None:
    broken = ContextCapacity(ContextKey("v", "p"), 3, refused=True)
    offer = capacity([slot("a", "t", taken=2), slot("b", "u", taken=2)], RULES, 10.0, 32, broken=(broken,))
    assert (offer.limit, offer.runner_slots, offer.contexts) == (3, 0, (broken,))


def test_a_runner_that_comes_up_is_not_replaced() -> None:
    slots = [slot("a", "t", taken=1), slot("b", "u", since=inf, used=1.0)]
    assert place(slots, RULES, 10.0, ContextKey("v")) is None


def test_a_busy_worker_retires_the_runner_that_has_had_its_slot_longest() -> None:
    slots = [slot("a", "t", taken=2, since=5.0), slot("b", "u", taken=1, since=1.0)]
    assert select_retirement(slots, RULES, 10.0, ContextKey("v")) == "b"


def test_a_tenant_of_many_contexts_replaces_its_own_runners_first() -> None:
    """A tenant pays itself for its many egress sets and profiles: with starts of its own browsers."""
    idle = [slot("b", "u", since=8.0, used=1.0), slot("a", "t", since=8.0, used=9.0)]
    assert place(idle, RULES, 20.0, ContextKey("t", "other")) == Spawn(evict="a")
    assert place(idle, RULES, 20.0, ContextKey("v")) == Spawn(evict="b")
    busy = [slot("b", "u", taken=1, since=1.0), slot("a", "t", taken=1, since=5.0)]
    assert select_retirement(busy, RULES, 20.0, ContextKey("t", "other")) == "a"
    assert select_retirement(busy, RULES, 20.0, ContextKey("v")) == "b"
    most = [*busy, slot("c", "t", profile="p", taken=1, since=9.0)]
    assert select_retirement(most, PoolRules(3, 2, 2.0), 20.0, ContextKey("v")) == "a"
    assert select_retirement(most, PoolRules(3, 2, 2.0), 20.0, ContextKey("u", "other")) == "a"


def test_one_retirement_at_a_time() -> None:
    slots = [slot("a", "t", taken=2), slot("b", "u", taken=1, is_open=False)]
    assert select_retirement(slots, RULES, 10.0, ContextKey("v")) is None


def test_no_runner_is_retired_for_a_context_that_is_here() -> None:
    slots = [slot("a", "t", taken=2), slot("b", "u", taken=2)]
    assert select_retirement(slots, RULES, 10.0, ContextKey("t")) is None


def test_a_job_that_must_run_alone_takes_an_empty_runner() -> None:
    slots = [slot("a", "t", taken=1), slot("b", "t", taken=0)]
    assert place(slots, RULES, 10.0, ContextKey("t"), exclusive=True) == Use("b")


def test_a_tenant_gets_its_next_runner_when_this_one_has_come_up() -> None:
    slots = [slot("a", "t", taken=2, since=inf)]
    (held_context,) = capacity(slots, RULES, 10.0, 32).contexts
    assert held_context.free_pages == NO_RUNNER_SLOT


def test_a_runner_that_is_coming_up_is_not_asked_to_leave() -> None:
    slots = [slot("a", "t", taken=2, since=inf), slot("b", "u", taken=1, since=inf)]
    assert select_retirement(slots, RULES, 10.0, ContextKey("v")) is None
    assert evictable([slot("a", "t", since=inf)], RULES, 10.0) == []


def test_time_alone_frees_a_slot() -> None:
    busy = [slot("a", "t", since=9.0, taken=1), slot("b", "u", since=8.5, taken=1)]
    never = [slot("c", "v", since=inf), slot("d", "w", since=1.0)]
    assert next_evictable_in([*busy, *never], RULES, 10.0) == 0.5
    assert next_evictable_in([*busy, slot("e", "x", since=9.0, used=9.875)], RULES, 10.0) == 0.125
    assert next_evictable_in(never, RULES, 10.0) is None


def test_the_runner_of_a_profile_with_another_egress_set_is_found() -> None:
    slots = [slot("a", "t", profile="p"), replace(slot("b", "u"), context=ContextKey("u", "p", OTHER))]
    found = holder_with_other_values(slots, ContextKey("t", "p", OTHER))
    assert found is not None
    assert found.runner_id == "a"
    assert holder_with_other_values(slots, ContextKey("t", "p")) is None
    assert holder_with_other_values(slots, ContextKey("t", None, OTHER)) is None
    assert holder_with_other_values(slots, ContextKey("t", "q", OTHER)) is None


def test_an_egress_set_has_its_minimum_time_before_another_one_replaces_it() -> None:
    busy = slot("a", "t", profile="p", taken=1, since=5.0)
    assert not may_retire(busy, RULES, 6.9)
    assert may_retire(busy, RULES, 7.0)
    idle = slot("a", "t", profile="p", since=5.0, used=5.5)
    assert not may_retire(idle, RULES, 5.6)
    assert may_retire(idle, RULES, 5.75)
    assert not may_retire(slot("a", "t", profile="p", taken=1, since=inf), RULES, 100.0)


def test_a_pending_job_takes_a_warm_page() -> None:
    slots = [slot("a", "t", taken=1)]
    offer = capacity(
        with_pending(slots, RULES, 10.0, [PendingPlacement(ContextKey("t"), exclusive=False)]), RULES, 10.0, 32
    )
    assert (offer.limit, offer.runner_slots, list(offer.contexts)) == (2, 1, [])


def test_a_pending_job_takes_a_slot_where_there_is_no_warm_page() -> None:
    waiting = [PendingPlacement(ContextKey("t", None, OTHER), exclusive=False)]
    (warm, coming) = with_pending([slot("a", "t", taken=1)], RULES, 10.0, waiting)
    assert (warm.taken, coming.context.egress, coming.taken, coming.coming_up) == (1, OTHER, 1, True)
    assert capacity([warm, coming], RULES, 10.0, 32).runner_slots == 0


def test_a_pending_job_that_must_run_alone_leaves_no_page_beside_it() -> None:
    (coming,) = with_pending([], RULES, 10.0, [PendingPlacement(ContextKey("t"), exclusive=True)])
    assert coming.free == 0


def test_an_idle_runner_counts_as_replaced_by_a_pending_job() -> None:
    slots = [slot("a", "t", taken=1), slot("b", "u")]
    expected = with_pending(slots, RULES, 10.0, [PendingPlacement(ContextKey("v"), exclusive=False)])
    assert [found.runner_id for found in expected] == ["a", "?0"]


@dataclass
class SimulatedFleet:
    slots: list[RunnerSlot]

    def apply(self, context: ContextKey, now: float) -> bool:
        match place(self.slots, RULES, now, context):
            case None:
                return False
            case Spawn(evict):
                self.slots = [s for s in self.slots if s.runner_id != evict]
                self.slots.append(RunnerSlot(f"r{now}", context, RULES.pages, 1, True, now, now))
            case Use(name):
                self.slots = [
                    RunnerSlot(s.runner_id, s.context, s.pages, s.taken + (s.runner_id == name), s.open, s.since, now)
                    for s in self.slots
                ]
        return True


contexts = st.builds(ContextKey, st.sampled_from(["a", "b", "c"]), st.sampled_from([None, "p", "q"]))


@given(st.lists(contexts, max_size=40))
def test_the_fleet_keeps_its_limits(wanted: list[ContextKey]) -> None:
    fleet = SimulatedFleet([])
    for number, context in enumerate(wanted):
        before = capacity(fleet.slots, RULES, float(number), 32)
        placed = fleet.apply(context, float(number))
        assert len(fleet.slots) <= RULES.runners
        assert all(0 <= s.taken <= s.pages for s in fleet.slots)
        profiles = [s.context.profile for s in fleet.slots if s.context.profile is not None]
        assert len(profiles) == len(set(profiles))
        if placed:
            assert before.runner_slots or any(held_context.free_pages for held_context in before.contexts)


@given(st.lists(contexts, max_size=40), contexts)
def test_what_capacity_offers_can_be_placed(history: list[ContextKey], wanted: ContextKey) -> None:
    fleet = SimulatedFleet([])
    for number, context in enumerate(history):
        fleet.apply(context, float(number))
    now = 100.0
    offer = capacity(fleet.slots, RULES, now, 32)
    held = {held_context.context: held_context.free_pages for held_context in offer.contexts}
    others = [s for s in evictable(fleet.slots, RULES, now) if s.context != wanted]
    if held.get(wanted) or (wanted not in held and (len(fleet.slots) < RULES.runners or others)):
        assert fleet.apply(wanted, now)


@given(st.lists(contexts, max_size=12))
def test_pending_jobs_keep_the_fleets_limits(wanted: list[ContextKey]) -> None:
    expected = with_pending([], RULES, 10.0, [PendingPlacement(context, exclusive=False) for context in wanted])
    assert len(expected) <= RULES.runners
    assert all(found.taken <= found.pages for found in expected)
    profiles = [found.context.profile for found in expected if found.context.profile is not None]
    assert len(profiles) == len(set(profiles))
