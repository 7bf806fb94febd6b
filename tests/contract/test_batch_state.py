"""The batch's table of transitions: every pair, and what must hold whatever it says."""

import itertools

import pytest

from pageworker_sandbox.state_machine import IllegalTransition, next_state
from pageworker_supervisor.contract.batch_state import COMPLETIONS, START, TRANSITIONS, BatchEvent, BatchState


def test_every_pair_leads_on_or_is_illegal() -> None:
    for state, event in itertools.product(BatchState, BatchEvent):
        if (state, event) in TRANSITIONS:
            assert next_state(TRANSITIONS, state, event) in BatchState
        else:
            with pytest.raises(IllegalTransition):
                next_state(TRANSITIONS, state, event)


def test_every_state_is_reached_and_every_event_is_used() -> None:
    reached = {START}
    while more := {after for (before, _), after in TRANSITIONS.items() if before in reached} - reached:
        reached |= more
    assert reached == set(BatchState)
    assert {event for _, event in TRANSITIONS} == set(BatchEvent)


def test_only_a_completion_completes_and_never_twice() -> None:
    complete = BatchState.COMPLETE
    into = {event for (before, event), after in TRANSITIONS.items() if after is complete and before is not complete}
    assert into == COMPLETIONS
    assert not [event for event in COMPLETIONS if (complete, event) in TRANSITIONS]
    out = {event for (before, event), after in TRANSITIONS.items() if before is complete and after is not complete}
    assert out == {BatchEvent.RETRY}


def test_jobs_are_added_to_an_open_batch_alone() -> None:
    assert {before for before, event in TRANSITIONS if event is BatchEvent.ADD_JOB} == {BatchState.OPEN}
    counted = {BatchState.OPEN, BatchState.CLOSED, BatchState.COMPLETE}
    for event in (BatchEvent.END_JOB, BatchEvent.REQUEUE_JOB):
        assert {before: after for (before, each), after in TRANSITIONS.items() if each is event} == {
            state: state for state in counted
        }
