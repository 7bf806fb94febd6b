"""The job's table of transitions: every pair, and what must hold whatever it says."""

import itertools

import pytest

from pageworker_sandbox.state_machine import IllegalTransition, next_state
from pageworker_supervisor.contract.job_state import FINALS, START, TRANSITIONS, JobEvent, JobState

LEASE_ENDS = [
    *(JobEvent.RETRY, JobEvent.CRASH, JobEvent.REAP, JobEvent.DEFER),
    *(JobEvent.REQUEUE, JobEvent.REASSIGN),
]


@pytest.mark.parametrize(("state", "event"), list(itertools.product(JobState, JobEvent)))
def test_every_pair_leads_on_or_is_illegal(state: JobState, event: JobEvent) -> None:
    if (state, event) in TRANSITIONS:
        assert next_state(TRANSITIONS, state, event) in JobState
    else:
        with pytest.raises(IllegalTransition):
            next_state(TRANSITIONS, state, event)


def test_every_state_is_reached_and_every_event_is_used() -> None:
    reached = {START}
    while more := {after for (before, _), after in TRANSITIONS.items() if before in reached} - reached:
        reached |= more
    assert reached == set(JobState)
    assert {event for _, event in TRANSITIONS} == set(JobEvent)


@pytest.mark.parametrize("state", list(JobState))
def test_every_job_can_end(state: JobState) -> None:
    reached = {state}
    while more := {after for (before, _), after in TRANSITIONS.items() if before in reached} - reached:
        reached |= more
    assert reached & FINALS


def test_only_a_claimed_job_gets_its_result() -> None:
    assert {before for (before, event) in TRANSITIONS if event is JobEvent.FINISH} == {
        JobState.RUNNING,
        JobState.STORING,
        JobState.FINISHING,
    }


@pytest.mark.parametrize("event", LEASE_ENDS)
def test_a_job_that_must_not_run_never_goes_back_to_those_that_run(event: JobEvent) -> None:
    assert TRANSITIONS[JobState.FINISHING, event] is JobState.ENDING
    assert TRANSITIONS[JobState.RUNNING, event] in (JobState.QUEUED, JobState.DELAYED)


def test_a_job_whose_artifacts_are_stored_ends_its_lease_as_one_that_runs() -> None:
    """It cannot move to another context: its module has run."""
    of_running = {event: after for (state, event), after in TRANSITIONS.items() if state is JobState.RUNNING}
    of_storing = {event: after for (state, event), after in TRANSITIONS.items() if state is JobState.STORING}
    moves = {JobEvent.REASSIGN, JobEvent.REASSIGN_LATER, JobEvent.STORE}
    same = {JobEvent.BEGIN, JobEvent.REQUEST_CANCEL}
    assert of_running.keys() - of_storing.keys() == moves
    assert all(of_storing[event] is of_running[event] for event in of_storing.keys() - same)


def test_nothing_but_a_claim_leaves_the_state_ending() -> None:
    assert {event for (state, event) in TRANSITIONS if state is JobState.ENDING} == {JobEvent.CLAIM}
