"""Where jobs may run: isolated jobs, spares, and a bound of memory."""

from dataclasses import replace
from math import inf

from hypothesis import given
from hypothesis import strategies as st
from pw_runner.slots import RULES, slot

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.contract.isolation import Isolation
from pageworker_supervisor.queue.claim import ContextCapacity
from pageworker_supervisor.runners.placement import (
    NO_RUNNER_SLOT,
    STORED_BESIDE,
    Adopt,
    PendingPlacement,
    PoolRules,
    RunnerSlot,
    Spawn,
    Use,
    capacity,
    place,
    select_retirement,
    with_pending,
    without_jobs,
)


def test_a_claim_without_jobs_names_the_profiles_that_are_held_and_asks_for_nothing() -> None:
    slots = [slot("a", "t"), slot("b", "t", profile="p"), slot("c", "t", profile="q", since=inf, taken=2)]
    refused = ContextCapacity(ContextKey("t", "r"), 3, refused=True)
    found = without_jobs(capacity(slots, RULES, 10.0, 32, broken=[refused]))
    assert (found.limit, found.runner_slots) == (0, 0)
    assert [(one.context.profile_id, one.free_pages, one.idle) for one in found.contexts] == [
        ("p", 0, False),
        ("q", NO_RUNNER_SLOT, False),
    ]


ALONE = ContextKey("t", isolation=Isolation(one_job=True))


def alone(name: str, *, taken: int = 1, since: float = 0.0) -> RunnerSlot:
    return RunnerSlot(name, ALONE, 1, taken, True, since, 0.0)


def test_each_job_of_a_one_job_context_gets_a_runner_slot_of_its_own() -> None:
    rules = replace(RULES, runners=3)
    assert place([alone("a", since=inf)], rules, 10.0, ALONE) == Spawn(None)
    pending = [PendingPlacement(ALONE, exclusive=False)] * 2
    expected = with_pending([alone("a")], rules, 10.0, pending)
    assert [(slot.context, slot.pages, slot.free) for slot in expected] == [(ALONE, 1, 0)] * 3


def test_a_one_job_runner_that_starts_holds_up_no_other_job_of_its_context() -> None:
    shared = slot("b", "u", since=inf)
    found = capacity([alone("a", since=inf), replace(shared, taken=2)], replace(RULES, runners=4), 10.0, 32)
    assert [(one.context.tenant_id, one.free_pages) for one in found.contexts] == [("u", NO_RUNNER_SLOT)]
    assert found.runner_slots == 2


def test_a_one_job_runner_is_never_retired_and_keeps_no_other_from_it() -> None:
    full = [alone("a"), slot("b", "u", taken=2)]
    assert select_retirement(full, RULES, 10.0, ContextKey("v")) == "b"
    closing = [replace(full[0], open=False), full[1]]
    assert select_retirement(closing, RULES, 10.0, ContextKey("v")) == "b"
    assert select_retirement([alone("a"), alone("b")], RULES, 10.0, ContextKey("v")) is None


def test_a_spare_is_adopted_where_a_runner_would_be_started() -> None:
    assert place([], RULES, 10.0, ContextKey("t"), spare="s") == Adopt("s", evict=None)
    full = [slot("a", "t", taken=2), slot("b", "u", used=5.0)]
    assert place(full, RULES, 10.0, ContextKey("v"), spare="s") == Adopt("s", evict="b")


contexts = st.builds(ContextKey, st.sampled_from("tuv"), st.sampled_from([None, "p"]))
some_slots = st.lists(
    st.builds(
        RunnerSlot,
        st.uuids().map(str),
        contexts,
        st.just(2),
        st.integers(0, 2),
        st.booleans(),
        st.sampled_from([0.0, 9.0, inf]),
        st.floats(0, 10),
    ),
    max_size=4,
)


@given(some_slots, contexts, st.booleans(), st.booleans())
def test_a_spare_changes_no_other_placement(
    slots: list[RunnerSlot], context: ContextKey, exclusive: bool, careful: bool
) -> None:
    without = place(slots, RULES, 10.0, context, exclusive=exclusive, careful=careful)
    found = place(slots, RULES, 10.0, context, exclusive=exclusive, careful=careful, spare="s")
    assert found == (Adopt("s", without.evict) if isinstance(without, Spawn) else without)


MIB = 1024**2
TIGHT = PoolRules(runners=4, pages=2, residency_seconds=2.0, memory_bytes=1000 * MIB)


def heavy(name: str, tenant: str, mib: int, *, taken: int = 0, used: float = 0.0) -> RunnerSlot:
    return replace(slot(name, tenant, taken=taken, used=used), memory_bytes=mib * MIB)


def test_a_runner_that_does_not_fit_replaces_the_idle_one_that_was_used_least_recently() -> None:
    two = [heavy("a", "t", 400, used=2.0), heavy("b", "u", 500, used=1.0)]
    assert capacity(two, TIGHT, 10.0, 32).runner_slots == 2
    assert place(two, TIGHT, 10.0, ContextKey("v")) == Spawn(evict="b")
    assert place(two[:1], TIGHT, 10.0, ContextKey("v")) == Spawn(evict=None)


def test_a_runner_that_only_stores_its_profile_has_no_slot() -> None:
    def storing(name: str) -> RunnerSlot:
        return replace(slot(name, "t", profile=name, is_open=False), storing=True, memory_bytes=900 * MIB)

    busy, wanted = slot("busy", "u", taken=RULES.pages), ContextKey("w")
    rules = replace(RULES, runners=2, memory_bytes=1000 * MIB)
    found = capacity([busy, storing("p")], rules, 10.0, 32)
    assert found.runner_slots == 1
    assert [(one.context.profile_id, one.free_pages) for one in found.contexts] == [("p", 0)], "it is still held here"
    assert place([busy, storing("p")], rules, 10.0, wanted) == Spawn(None)
    assert place([busy, storing("p")], rules, 10.0, ContextKey("t", "p")) is None, "never opened twice"
    # One more than may be without a slot: it keeps the slot that it has.
    most = [storing(f"p{number}") for number in range(STORED_BESIDE + 1)]
    assert place([busy, *most], rules, 10.0, wanted) is None
    assert capacity([busy, *most[1:]], rules, 10.0, 32).runner_slots == 1
    # It does not hold up a tenant's turn, either.
    assert select_retirement([busy, storing("p")], replace(rules, runners=1), 100.0, wanted) == "busy"
    assert select_retirement([busy, *most], replace(rules, runners=1), 100.0, wanted) is None


def test_no_runner_is_claimed_for_while_none_fits() -> None:
    busy = [heavy("a", "t", 500, taken=2), heavy("b", "u", 480, taken=1)]
    found = capacity(busy, TIGHT, 10.0, 32)
    assert (found.runner_slots, found.limit) == (0, 1)
    assert place(busy, TIGHT, 10.0, ContextKey("v")) is None
    assert place(busy, TIGHT, 10.0, ContextKey("u")) == Use("b")


def test_where_no_idle_runner_frees_enough_memory_the_least_recently_used_one_goes_first() -> None:
    slots = [heavy("a", "t", 940, taken=1), heavy("b", "u", 40, used=2.0), heavy("c", "w", 15, used=1.0)]
    assert place(slots, TIGHT, 10.0, ContextKey("v")) is None
    assert select_retirement(slots, TIGHT, 10.0, ContextKey("v")) == "c"


def test_one_runner_always_may_start() -> None:
    huge = [heavy("a", "t", 5000)]
    assert place([], replace(TIGHT, memory_bytes=1), 10.0, ContextKey("v")) == Spawn(evict=None)
    assert place(huge, TIGHT, 10.0, ContextKey("v")) == Spawn(evict="a")


used_moments, some_taken = st.floats(0, 10), st.integers(0, 2)
heavies = st.builds(
    heavy, st.uuids().map(str), st.sampled_from("tuw"), st.integers(0, 800), taken=some_taken, used=used_moments
)


@given(st.lists(heavies, max_size=6))
def test_what_is_claimed_for_can_be_placed(slots: list[RunnerSlot]) -> None:
    claimed = capacity(slots, TIGHT, 10.0, 32).runner_slots
    assert isinstance(place(slots, TIGHT, 10.0, ContextKey("v")), Spawn) == (claimed > 0)
