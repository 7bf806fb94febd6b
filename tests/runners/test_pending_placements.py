"""A job that is claimed and not placed yet counts as placed."""

from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.contract.context_key import NO_EGRESS, ContextKey, egress_digest
from pageworker_supervisor.runners.pending_placements import PendingPlacement, with_pending
from pageworker_supervisor.runners.placement import PoolRules, RunnerSlot, capacity

RULES = PoolRules(runners=2, pages=2, residency_seconds=2.0)
OTHER = egress_digest(["other.test"])


def slot(name: str, context: ContextKey, *, taken: int = 0, since: float = 0.0, used: float = 0.0) -> RunnerSlot:
    return RunnerSlot(name, context, RULES.pages, taken, True, since, used)


def test_a_pending_job_takes_a_warm_page() -> None:
    slots = [slot("a", ContextKey("t"), taken=1)]
    offer = capacity(
        with_pending(slots, RULES, 10.0, [PendingPlacement(ContextKey("t"), exclusive=False)]), RULES, 10.0, 32
    )
    assert (offer.limit, offer.runner_slots, list(offer.contexts)) == (2, 1, [])


def test_a_pending_job_takes_a_slot_where_there_is_no_warm_page() -> None:
    waiting = [PendingPlacement(ContextKey("t", None, OTHER), exclusive=False)]
    (warm, coming) = with_pending([slot("a", ContextKey("t"), taken=1)], RULES, 10.0, waiting)
    assert (warm.taken, coming.context.egress, coming.taken, coming.coming_up) == (1, OTHER, 1, True)
    assert capacity([warm, coming], RULES, 10.0, 32).runner_slots == 0


def test_a_pending_job_that_must_run_alone_leaves_no_page_beside_it() -> None:
    (coming,) = with_pending([], RULES, 10.0, [PendingPlacement(ContextKey("t"), exclusive=True)])
    assert coming.free == 0


def test_an_idle_runner_counts_as_replaced_by_a_pending_job() -> None:
    slots = [slot("a", ContextKey("t"), taken=1), slot("b", ContextKey("u"))]
    expected = with_pending(slots, RULES, 10.0, [PendingPlacement(ContextKey("v"), exclusive=False)])
    assert [found.runner_id for found in expected] == ["a", "?0"]


contexts = st.builds(
    ContextKey, st.sampled_from("abc"), st.sampled_from([None, "p"]), st.sampled_from([NO_EGRESS, OTHER])
)


@given(st.lists(contexts, max_size=12))
def test_the_expected_keeps_the_fleets_limits(wanted: list[ContextKey]) -> None:
    expected = with_pending([], RULES, 10.0, [PendingPlacement(context, exclusive=False) for context in wanted])
    assert len(expected) <= RULES.runners
    assert all(found.taken <= found.pages for found in expected)
    profiles = [found.context.profile for found in expected if found.context.profile is not None]
    assert len(profiles) == len(set(profiles))
