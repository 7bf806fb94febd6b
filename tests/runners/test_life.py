"""A runner's life, over every (state, event) pair."""

import itertools

import pytest

from pageworker_supervisor.runners.life import TABLE, TAKES_JOBS, Event, Life, after


@pytest.mark.parametrize(("life", "event"), list(itertools.product(Life, Event)))
def test_every_pair_is_a_row_or_an_error(life: Life, event: Event) -> None:
    if event in TABLE[life]:
        assert after(life, event) is TABLE[life][event]
    else:
        with pytest.raises(LookupError, match=event.name):
            after(life, event)


@pytest.mark.parametrize("life", Life)
def test_nobody_comes_back(life: Life) -> None:
    seen: set[Life] = set()
    reach = {life}
    while reach - seen:
        here = (reach - seen).pop()
        seen.add(here)
        reach |= set(TABLE[here].values())
    assert Life.GONE in seen
    if life not in TAKES_JOBS:
        assert not seen & TAKES_JOBS


@pytest.mark.parametrize("life", [life for life in Life if life is not Life.GONE])
def test_every_runner_can_be_killed_and_can_exit(life: Life) -> None:
    assert after(after(life, Event.KILL), Event.EXITED) is Life.GONE
    assert after(life, Event.EXITED) is Life.GONE
