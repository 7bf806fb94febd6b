"""The table of a page's life, over every pair of state and event."""

import itertools

import pytest

from pageworker_runner.life import NEXT, Event, IllegalEvent, State, follow

LEGAL = {
    State.IDLE: {Event.RESERVE: State.RESERVED, Event.CRASH: State.RECYCLE},
    State.RESERVED: {Event.START: State.RUNNING, Event.RELEASE: State.RECYCLE, Event.CRASH: State.RESERVED},
    State.RUNNING: {Event.FINISH: State.RECYCLE, Event.CRASH: State.RUNNING},
    State.RECYCLE: {Event.CLEAN: State.IDLE, Event.LOSE: State.LOST, Event.CRASH: State.RECYCLE},
    State.LOST: {Event.CRASH: State.LOST},
}


@pytest.mark.parametrize(("state", "event"), [*itertools.product(State, Event)])
def test_every_pair_is_a_step_or_an_error(state: State, event: Event) -> None:
    if event in LEGAL[state]:
        assert follow(state, event) is LEGAL[state][event]
    else:
        with pytest.raises(IllegalEvent, match=f"{event.name} while {state.name}"):
            follow(state, event)


def test_a_page_is_never_handed_on_without_a_proof() -> None:
    assert {state for (state, event), after in NEXT.items() if after is State.IDLE} == {State.RECYCLE}
    assert {event for (state, event), after in NEXT.items() if after is State.IDLE} == {Event.CLEAN}


def test_one_job_a_page() -> None:
    assert {state for (state, event) in NEXT if event is Event.RESERVE} == {State.IDLE}
