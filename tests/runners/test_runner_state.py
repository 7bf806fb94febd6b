"""The states of a runner, over every pair of state and event."""

import pytest
from pw_states import StatePair, check, every_pair, reachable

from pageworker_sandbox.state_machine import next_state
from pageworker_supervisor.runners.runner_state import (
    NO_PROCESS,
    TAKES_JOBS,
    TRANSITIONS,
    RunnerEvent,
    RunnerState,
)

GRID = """
          came_up   retire    emptied   dismiss   kill      exited   ended
starting  ready     retiring  starting  stopping  stopping  storing  gone
ready     -         retiring  ready     stopping  stopping  storing  gone
retiring  retiring  retiring  stopping  stopping  stopping  storing  gone
stopping  stopping  stopping  stopping  stopping  stopping  storing  gone
storing   -         storing   storing   storing   storing   -        gone
gone      -         gone      gone      gone      gone      -        -
"""


@every_pair(GRID, RunnerState, RunnerEvent)
def test_every_pair(pair: StatePair) -> None:
    check(TRANSITIONS, pair)


@pytest.mark.parametrize("state", RunnerState)
def test_a_runner_that_takes_no_more_jobs_never_takes_jobs_again(state: RunnerState) -> None:
    ahead = reachable(TRANSITIONS, state)
    assert RunnerState.GONE in ahead
    if state not in TAKES_JOBS:
        assert not ahead & TAKES_JOBS


@pytest.mark.parametrize("state", [state for state in RunnerState if state not in NO_PROCESS])
def test_every_runner_can_be_killed_and_can_exit(state: RunnerState) -> None:
    killed = next_state(TRANSITIONS, state, RunnerEvent.KILL)
    for at in (state, killed):
        assert next_state(TRANSITIONS, at, RunnerEvent.EXITED) is RunnerState.STORING
        assert next_state(TRANSITIONS, at, RunnerEvent.ENDED) is RunnerState.GONE
