"""A clock that was set back is noticed, across restarts too."""

from datetime import timedelta
from pathlib import Path

import pytest
from pw_modules.author import Author, packed
from pw_modules.clock import Clock

from pageworker_supervisor.registry import Registry
from pageworker_supervisor.registry.clock_guard import ClockGuard
from pageworker_supervisor.registry.errors import ClockSetBack


def test_a_small_correction_stands_still_and_a_large_one_is_an_error(clock: Clock) -> None:
    guard, start = ClockGuard(clock), clock.now
    assert guard.observe()
    clock.now = start - timedelta(minutes=59)
    assert guard.now() == start
    clock.now = start - timedelta(minutes=61)
    with pytest.raises(ClockSetBack):
        guard.now()
    with pytest.raises(ClockSetBack):
        guard.observe()
    clock.now = start + timedelta(minutes=1)
    assert guard.now() == clock.now


def test_the_time_is_stored_once_an_hour(clock: Clock) -> None:
    guard = ClockGuard(clock)
    assert [guard.observe(), guard.observe()] == [True, False]
    clock.pass_days(0.05)
    assert [guard.observe(), guard.observe()] == [True, False]


def test_a_time_in_which_nothing_was_valid_does_not_count(clock: Clock) -> None:
    guard, start = ClockGuard(clock), clock.now
    clock.pass_days(10_000)
    guard.now()
    clock.now = start
    assert guard.now() == start


async def test_a_registry_refuses_after_a_restart(place: Path, state: Path, author: Author, clock: Clock) -> None:
    await author.publish(place, packed())
    registry = await Registry.open(place, author.trust, state, now=clock)
    clock.pass_days(1)
    await registry.refresh()
    clock.pass_days(-0.5)
    with pytest.raises(ClockSetBack):
        registry.resolve("shop.product")
    assert registry.status.trouble is not None
    again = await Registry.open(place, author.trust, state, now=clock)
    with pytest.raises(ClockSetBack, match="was at"):
        again.resolve("shop.product")
    assert ClockSetBack.retryable
    clock.pass_days(0.5)
    await again.refresh()
    assert again.resolve("shop.product")
