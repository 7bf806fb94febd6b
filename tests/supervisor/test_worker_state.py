"""The states of a worker, over every pair of state and event."""

import pytest
from pw_states import StatePair, check, every_pair, reachable

from pageworker_sandbox.state_machine import next_state
from pageworker_supervisor.worker_state import TRANSITIONS, WorkerEvent, WorkerState

GRID = """
          came_up  drain     emptied   undrain  stop
starting  ready    -         -         -        stopping
ready     -        draining  -         ready    stopping
draining  -        draining  drained   ready    stopping
drained   -        draining  drained   ready    stopping
stopping  -        -         stopping  -        stopping
"""


@every_pair(GRID, WorkerState, WorkerEvent)
def test_every_pair(pair: StatePair) -> None:
    check(TRANSITIONS, pair)


@pytest.mark.parametrize("state", WorkerState)
def test_it_can_always_be_stopped_and_then_never_takes_jobs_again(state: WorkerState) -> None:
    stopped = next_state(TRANSITIONS, state, WorkerEvent.STOP)
    assert stopped is WorkerState.STOPPING
    assert reachable(TRANSITIONS, stopped) == {WorkerState.STOPPING}
