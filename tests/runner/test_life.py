"""The table of a page's life, over every pair of state and event."""

import itertools

import pytest

from pageworker_runner.pages.page_state import NEXT, IllegalPageTransition, PageEvent, PageState, next_state

LEGAL = {
    PageState.IDLE: {PageEvent.RESERVE: PageState.RESERVED, PageEvent.CRASH: PageState.RECYCLE},
    PageState.RESERVED: {
        PageEvent.START: PageState.RUNNING,
        PageEvent.RELEASE: PageState.RECYCLE,
        PageEvent.CRASH: PageState.RESERVED,
    },
    PageState.RUNNING: {PageEvent.FINISH: PageState.RECYCLE, PageEvent.CRASH: PageState.RUNNING},
    PageState.RECYCLE: {
        PageEvent.CLEAN: PageState.IDLE,
        PageEvent.LOSE: PageState.LOST,
        PageEvent.CRASH: PageState.RECYCLE,
    },
    PageState.LOST: {PageEvent.CRASH: PageState.LOST},
}


@pytest.mark.parametrize(("state", "event"), [*itertools.product(PageState, PageEvent)])
def test_every_pair_is_a_step_or_an_error(state: PageState, event: PageEvent) -> None:
    if event in LEGAL[state]:
        assert next_state(state, event) is LEGAL[state][event]
    else:
        with pytest.raises(IllegalPageTransition, match=f"{event.name} while {state.name}"):
            next_state(state, event)


def test_a_page_is_never_handed_on_without_a_proof() -> None:
    assert {state for (state, event), after in NEXT.items() if after is PageState.IDLE} == {PageState.RECYCLE}
    assert {event for (state, event), after in NEXT.items() if after is PageState.IDLE} == {PageEvent.CLEAN}


def test_one_job_a_page() -> None:
    assert {state for (state, event) in NEXT if event is PageEvent.RESERVE} == {PageState.IDLE}
