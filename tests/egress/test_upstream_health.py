"""The health of an upstream proxy: every pair of state and event, and pauses that grow."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.egress.upstream_health import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    START,
    TRANSITIONS,
    HealthEvent,
    HealthState,
    UpstreamHealth,
)
from pageworker_sandbox.state_machine import IllegalTransition

UP, DOUBTED, DOWN, PROBING = HealthState
WORKED, FAILED, DOUBT, PAUSE_OVER, PROBE_PASSED, PROBE_FAILED = HealthEvent
EXPECTED: dict[HealthState, dict[HealthEvent, HealthState]] = {
    UP: {WORKED: UP, FAILED: DOWN, DOUBT: DOUBTED},
    DOUBTED: {WORKED: UP, FAILED: DOWN, DOUBT: DOUBTED, PROBE_PASSED: UP, PROBE_FAILED: DOWN},
    DOWN: {WORKED: UP, FAILED: DOWN, DOUBT: DOWN, PAUSE_OVER: PROBING},
    PROBING: {WORKED: UP, FAILED: PROBING, DOUBT: PROBING, PROBE_PASSED: UP, PROBE_FAILED: DOWN},
}


@pytest.mark.parametrize(("state", "event"), list(product(HealthState, HealthEvent)))
def test_every_pair(state: HealthState, event: HealthEvent) -> None:
    health = UpstreamHealth(state)
    if event in EXPECTED[state]:
        assert health.after(event).state is EXPECTED[state][event]
    else:
        with pytest.raises(IllegalTransition):
            health.after(event)


def legal(health: UpstreamHealth) -> list[HealthEvent]:
    return [event for event in HealthEvent if (health.state, event) in TRANSITIONS]


@given(st.lists(st.integers(0, 5), max_size=40))
def test_after_any_events(choices: list[int]) -> None:
    health = UpstreamHealth()
    for choice in choices:
        events = legal(health)
        event = events[choice % len(events)]
        before, health = health, health.after(event, "closed" if event in (FAILED, DOUBT, PROBE_FAILED) else None)
        assert FIRST_PAUSE_SECONDS <= health.pause_seconds <= LONGEST_PAUSE_SECONDS
        assert health.usable or health.fault is not None, "what is down has a reason"
        if event is DOUBT:
            assert health.usable == before.usable, "a doubt alone takes nothing away"
        if event is WORKED:
            assert health == UpstreamHealth(START)
        if before.usable and not health.usable:
            assert health.failures == before.failures + 1


def test_each_pause_is_twice_as_long_until_a_request_succeeds() -> None:
    health = UpstreamHealth().after(FAILED, "refused")
    pauses = [health.pause_seconds]
    for _ in range(8):
        health = health.after(PAUSE_OVER).after(PROBE_FAILED, "refused")
        pauses.append(health.pause_seconds)
    assert pauses == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    again = health.after(PAUSE_OVER).after(PROBE_PASSED)
    assert again.usable
    assert again.after(FAILED, "refused").pause_seconds == 60, "a probe that passes is no success of a request"
    assert again.after(WORKED).after(FAILED, "refused").pause_seconds == 0.5


def test_which_states_are_used_and_which_are_probed() -> None:
    assert [UpstreamHealth(state).usable for state in HealthState] == [True, True, False, False]
    assert [UpstreamHealth(state).probed for state in HealthState] == [False, True, False, True]
