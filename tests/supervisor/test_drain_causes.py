"""Why a worker is drained, over every pair of cause and event."""

from pw_states import StatePair, check, every_pair

from pageworker_supervisor.drain_causes import TRANSITIONS, DrainCauseEvent, DrainCauses

GRID = """
         drain    undrain  stored_drain  lifted
nothing  command  nothing  stored        -
command  command  nothing  both          -
stored   both     -        stored        nothing
both     both     -        both          command
"""


@every_pair(GRID, DrainCauses, DrainCauseEvent)
def test_every_pair(pair: StatePair) -> None:
    check(TRANSITIONS, pair)
