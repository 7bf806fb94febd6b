"""The worker's life, over every (phase, turn) pair."""

import itertools

import pytest

from pageworker_supervisor.worker_state import TABLE, IllegalWorkerTransition, WorkerEvent, WorkerState, next_state


@pytest.mark.parametrize(("phase", "event"), list(itertools.product(WorkerState, WorkerEvent)))
def test_every_pair_is_a_row_or_an_error(phase: WorkerState, event: WorkerEvent) -> None:
    if event in TABLE[phase]:
        assert next_state(phase, event) is TABLE[phase][event]
    else:
        with pytest.raises(IllegalWorkerTransition, match=event.name.lower()):
            next_state(phase, event)


@pytest.mark.parametrize("phase", WorkerState)
def test_it_can_always_be_stopped_and_then_never_takes_jobs_again(phase: WorkerState) -> None:
    stopped = next_state(phase, WorkerEvent.STOP)
    assert stopped is WorkerState.STOPPING
    assert set(TABLE[stopped].values()) == {WorkerState.STOPPING}
