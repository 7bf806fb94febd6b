"""The worker's life, over every (phase, turn) pair."""

import itertools

import pytest

from pageworker_supervisor.phase import TABLE, Phase, Turn, Untimely, turn


@pytest.mark.parametrize(("phase", "event"), list(itertools.product(Phase, Turn)))
def test_every_pair_is_a_row_or_an_error(phase: Phase, event: Turn) -> None:
    if event in TABLE[phase]:
        assert turn(phase, event) is TABLE[phase][event]
    else:
        with pytest.raises(Untimely, match=event.name.lower()):
            turn(phase, event)


@pytest.mark.parametrize("phase", Phase)
def test_it_can_always_be_stopped_and_then_never_takes_jobs_again(phase: Phase) -> None:
    stopped = turn(phase, Turn.STOP)
    assert stopped is Phase.STOPPING
    assert set(TABLE[stopped].values()) == {Phase.STOPPING}
