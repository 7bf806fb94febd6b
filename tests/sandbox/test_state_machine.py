"""The idiom of all life cycles: legal pairs lead on, all others raise, the diagram shows what the table holds."""

import itertools
from enum import Enum, auto

import pytest

from pageworker_sandbox.state_machine import IllegalTransition, TransitionTable, diagram, next_state


class Door(Enum):
    """States of the example."""

    OPEN = auto()
    CLOSED = auto()
    LOCKED = auto()


class DoorEvent(Enum):
    """Events of the example."""

    CLOSE = auto()
    OPEN = auto()
    LOCK = auto()
    SEAL = auto()


DOORS: TransitionTable[Door, DoorEvent] = {
    (Door.OPEN, DoorEvent.CLOSE): Door.CLOSED,
    (Door.CLOSED, DoorEvent.OPEN): Door.OPEN,
    (Door.CLOSED, DoorEvent.CLOSE): Door.CLOSED,
    (Door.CLOSED, DoorEvent.LOCK): Door.LOCKED,
    (Door.CLOSED, DoorEvent.SEAL): Door.LOCKED,
}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(Door, DoorEvent)))
def test_a_pair_leads_where_the_table_says_or_raises(state: Door, event: DoorEvent) -> None:
    if (state, event) in DOORS:
        assert next_state(DOORS, state, event) is DOORS[state, event]
    else:
        with pytest.raises(
            IllegalTransition, match=f"'{event.name.lower()}' is illegal in state '{state.name.lower()}'"
        ):
            next_state(DOORS, state, event)


def test_the_diagram_joins_events_with_one_arrow_and_leaves_out_what_changes_nothing() -> None:
    assert diagram(DOORS, Door.OPEN, [Door.LOCKED]).splitlines() == [
        "stateDiagram-v2",
        "    [*] --> open",
        "    open --> closed: close",
        "    closed --> open: open",
        "    closed --> locked: lock, seal",
        "    locked --> [*]",
    ]
