"""Runners with an ephemeral context go when they are too old, and not all at once."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners.ephemeral_age import EARLY, too_old
from pageworker_supervisor.runners.placement import RunnerSlot

MOST = 100.0


def slot(name: str, since: float, *, profile: str | None = None, is_open: bool = True) -> RunnerSlot:
    return RunnerSlot(name, ContextKey("t", profile), 2, 1, is_open, since, since)


@pytest.mark.parametrize(
    ("slots", "now", "old"),
    [
        ([slot("a", 0)], 99.9, []),
        ([slot("a", 0)], 100, ["a"]),
        ([slot("a", 0), slot("b", 0)], 100, ["a", "b"]),
        ([slot("a", 0, profile="p")], 1000, []),
        ([slot("a", inf)], 1000, []),
        ([slot("a", 0, is_open=False)], 1000, []),
        ([slot("a", 5), slot("b", 0), slot("c", 60)], 96, ["b"]),
        ([slot("a", 5), slot("b", 0, is_open=False)], 96, []),
        ([slot("a", 5), slot("b", 0, profile="p", is_open=False), slot("c", 5)], 96, ["a"]),
        ([slot("a", 0), slot("b", 50)], 96, []),
    ],
)
def test_who_goes(slots: list[RunnerSlot], now: float, old: list[str]) -> None:
    assert too_old(slots, MOST, now) == old


@given(st.lists(st.floats(0, 50), min_size=1, max_size=6), st.lists(st.floats(0.1, 5), min_size=60, max_size=200))
def test_no_context_outlives_its_time_by_more_than_one_look(starts: list[float], steps: list[float]) -> None:
    """A fleet under steady load: what retires is gone at the next look, and a new one has its place."""
    slots = {f"r{number}": slot(f"r{number}", since) for number, since in enumerate(starts)}
    now, early = 50.0, 0
    for step in steps:
        now += step
        slots = {name: one if one.open else slot(name, now - step) for name, one in slots.items()}
        assert all(now - one.since < MOST + step for one in slots.values() if one.open)
        for name in too_old(list(slots.values()), MOST, now):
            early += now - slots[name].since < MOST
            assert now - slots[name].since >= EARLY * MOST
            slots[name] = slot(name, slots[name].since, is_open=False)
    assert early <= len(steps)
