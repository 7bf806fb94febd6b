"""The states of a rollout, over every pair of state and event."""

from pw_states import StatePair, check, every_pair, reachable

from pageworker_supervisor.rollouts.rollout_state import START, TRANSITIONS, RolloutEvent, RolloutState

GRID = """
             resize   promote   roll_back    stop
running      running  promoted  rolled_back  stopped
promoted     -        promoted  rolled_back  -
rolled_back  -        promoted  rolled_back  -
stopped      -        promoted  rolled_back  -
"""


@every_pair(GRID, RolloutState, RolloutEvent)
def test_every_pair(pair: StatePair) -> None:
    check(TRANSITIONS, pair)


def test_an_ended_rollout_never_runs_again() -> None:
    for state in RolloutState:
        if state is not START:
            assert START not in reachable(TRANSITIONS, state)
