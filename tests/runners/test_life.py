"""A runner's life, over every (state, event) pair."""

import itertools

import pytest

from pageworker_supervisor.runners.runner_state import TABLE, TAKES_JOBS, RunnerEvent, RunnerState, next_state


@pytest.mark.parametrize(("life", "event"), list(itertools.product(RunnerState, RunnerEvent)))
def test_every_pair_is_a_row_or_an_error(life: RunnerState, event: RunnerEvent) -> None:
    if event in TABLE[life]:
        assert next_state(life, event) is TABLE[life][event]
    else:
        with pytest.raises(LookupError, match=event.name):
            next_state(life, event)


@pytest.mark.parametrize("life", RunnerState)
def test_nobody_comes_back(life: RunnerState) -> None:
    seen: set[RunnerState] = set()
    reach = {life}
    while reach - seen:
        here = (reach - seen).pop()
        seen.add(here)
        reach |= set(TABLE[here].values())
    assert RunnerState.GONE in seen
    if life not in TAKES_JOBS:
        assert not seen & TAKES_JOBS


@pytest.mark.parametrize("life", [life for life in RunnerState if life is not RunnerState.GONE])
def test_every_runner_can_be_killed_and_can_exit(life: RunnerState) -> None:
    assert next_state(next_state(life, RunnerEvent.KILL), RunnerEvent.EXITED) is RunnerState.GONE
    assert next_state(life, RunnerEvent.EXITED) is RunnerState.GONE
