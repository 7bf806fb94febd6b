"""What is claimed and not placed yet counts as placed; a profile's runner goes when another set's turn has come."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.contract.context_key import NO_EGRESS, ContextKey, egress_digest
from pageworker_supervisor.runners.pending_admissions import Admitting, assume, may_go, other_set
from pageworker_supervisor.runners.placement import PoolRules, RunnerSlot, capacity

RULES = PoolRules(runners=2, pages=2, residency_seconds=2.0)
OTHER = egress_digest(["other.test"])


def seat(name: str, context: ContextKey, *, taken: int = 0, since: float = 0.0, used: float = 0.0) -> RunnerSlot:
    return RunnerSlot(name, context, RULES.pages, taken, True, since, used)


def test_a_lease_in_admission_takes_a_warm_page() -> None:
    seats = [seat("a", ContextKey("t"), taken=1)]
    offer = capacity(assume(seats, RULES, 10.0, [Admitting(ContextKey("t"), solo=False)]), RULES, 10.0, 32)
    assert (offer.limit, offer.runner_slots, list(offer.contexts)) == (2, 1, [])


def test_a_lease_in_admission_takes_a_slot_where_there_is_no_warm_page() -> None:
    waiting = [Admitting(ContextKey("t", None, OTHER), solo=False)]
    (warm, coming) = assume([seat("a", ContextKey("t"), taken=1)], RULES, 10.0, waiting)
    assert (warm.taken, coming.context.egress, coming.taken, coming.coming_up) == (1, OTHER, 1, True)
    assert capacity([warm, coming], RULES, 10.0, 32).runner_slots == 0


def test_a_lease_in_admission_that_must_run_alone_leaves_no_page_beside_it() -> None:
    (coming,) = assume([], RULES, 10.0, [Admitting(ContextKey("t"), solo=True)])
    assert coming.free == 0


def test_an_idle_runner_counts_as_replaced_by_what_is_in_admission() -> None:
    seats = [seat("a", ContextKey("t"), taken=1), seat("b", ContextKey("u"))]
    picture = assume(seats, RULES, 10.0, [Admitting(ContextKey("v"), solo=False)])
    assert [found.runner_id for found in picture] == ["a", "?0"]


contexts = st.builds(
    ContextKey, st.sampled_from("abc"), st.sampled_from([None, "p"]), st.sampled_from([NO_EGRESS, OTHER])
)


@given(st.lists(contexts, max_size=12))
def test_the_picture_keeps_the_fleets_limits(wanted: list[ContextKey]) -> None:
    picture = assume([], RULES, 10.0, [Admitting(context, solo=False) for context in wanted])
    assert len(picture) <= RULES.runners
    assert all(found.taken <= found.pages for found in picture)
    profiles = [found.context.profile for found in picture if found.context.profile is not None]
    assert len(profiles) == len(set(profiles))


def test_the_runner_of_a_profile_with_another_set_is_found() -> None:
    seats = [seat("a", ContextKey("t", "p")), seat("b", ContextKey("u", "p", OTHER))]
    found = other_set(seats, ContextKey("t", "p", OTHER))
    assert found is not None
    assert found.runner_id == "a"
    assert other_set(seats, ContextKey("t", "p")) is None
    assert other_set(seats, ContextKey("t", None, OTHER)) is None
    assert other_set(seats, ContextKey("t", "q", OTHER)) is None


def test_a_set_has_its_time_before_another_one_has_its_turn() -> None:
    busy = seat("a", ContextKey("t", "p"), taken=1, since=5.0)
    assert not may_go(busy, RULES, 6.9)
    assert may_go(busy, RULES, 7.0)
    idle = seat("a", ContextKey("t", "p"), since=5.0, used=5.5)
    assert not may_go(idle, RULES, 5.6)
    assert may_go(idle, RULES, 5.75)
    assert not may_go(seat("a", ContextKey("t", "p"), taken=1, since=inf), RULES, 100.0)
