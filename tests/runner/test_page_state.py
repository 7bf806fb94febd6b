"""The states of a page, over every pair of state and event."""

from pw_states import StatePair, check, every_pair

from pageworker_runner.pages.page_state import TRANSITIONS, PageEvent, PageState

GRID = """
           reserve   release    start    finish     clean  crash      lose
idle       reserved  -          -        -          -      recycling  -
reserved   -         recycling  running  -          -      reserved   -
running    -         -          -        recycling  -      running    -
recycling  -         -          -        -          idle   recycling  lost
lost       -         -          -        -          -      lost       -
"""


@every_pair(GRID, PageState, PageEvent)
def test_every_pair(pair: StatePair) -> None:
    check(TRANSITIONS, pair)


def test_only_a_page_that_was_proved_clean_becomes_idle() -> None:
    assert {pair for pair, after in TRANSITIONS.items() if after is PageState.IDLE} == {
        (PageState.RECYCLING, PageEvent.CLEAN)
    }


def test_only_an_idle_page_can_be_reserved() -> None:
    assert {state for state, event in TRANSITIONS if event is PageEvent.RESERVE} == {PageState.IDLE}
