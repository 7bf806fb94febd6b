"""The states of an attempt, over every pair of state and event."""

import pytest
from pw_states import StatePair, check, every_pair, reachable

from pageworker_sandbox.state_machine import next_state
from pageworker_supervisor.dispatch.attempt_state import TRANSITIONS, AttemptEvent, AttemptState

GRID = """
           place      send  begin     settle    detach    end
admitting  preparing  -     -         settling  detached  ended
preparing  -          sent  -         settling  detached  ended
sent       -          -     begun     settling  detached  ended
begun      -          -     -         settling  detached  ended
settling   -          -     settling  settling  detached  ended
detached   -          -     detached  -         detached  ended
ended      -          -     ended     -         ended     -
"""


@every_pair(GRID, AttemptState, AttemptEvent)
def test_every_pair(pair: StatePair) -> None:
    check(TRANSITIONS, pair)


def test_an_attempt_that_lost_its_lease_never_settles() -> None:
    assert reachable(TRANSITIONS, AttemptState.DETACHED) == {AttemptState.DETACHED, AttemptState.ENDED}


@pytest.mark.parametrize("state", [state for state in AttemptState if state is not AttemptState.ENDED])
def test_every_attempt_can_lose_its_lease_and_can_end(state: AttemptState) -> None:
    assert next_state(TRANSITIONS, state, AttemptEvent.DETACH) is AttemptState.DETACHED
    assert next_state(TRANSITIONS, state, AttemptEvent.END) is AttemptState.ENDED
