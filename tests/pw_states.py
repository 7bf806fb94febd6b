"""How the tests of a life cycle cover every pair of state and event.

A test writes the whole table down once more, as a grid: one row per state, one column per event, `-` where the pair is
illegal. A state or an event that the grid lacks is an error, so a new one cannot go untested.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

import pytest

from pageworker_sandbox.state_machine import IllegalTransition, TransitionTable, label, next_state

ILLEGAL = "-"


class StatePair(NamedTuple):
    """One field of a grid. `after` None: the pair is illegal."""

    state: Any
    event: Any
    after: Any


def pairs(grid: str, states: type[Enum], events: type[Enum]) -> list[StatePair]:
    """Every field of the grid. Raises ValueError if a row or a column is missing, unknown or too short."""
    header, *rows = (line.split() for line in grid.strip().splitlines())
    names = {label(state): state for state in states}
    columns = {label(event): event for event in events}
    if sorted(header) != sorted(columns) or sorted(row[0] for row in rows) != sorted(names):
        raise ValueError(f"the grid must have the columns {sorted(columns)} and the rows {sorted(names)}")
    return [
        StatePair(names[name], columns[column], None if field == ILLEGAL else names[field])
        for name, *fields in rows
        for column, field in zip(header, fields, strict=True)
    ]


def every_pair(grid: str, states: type[Enum], events: type[Enum]) -> Callable[[Any], Any]:
    """Parametrise a test with `pair`, over the whole grid."""
    found = pairs(grid, states, events)
    return pytest.mark.parametrize("pair", found, ids=[f"{label(one.state)}-{label(one.event)}" for one in found])


def check(table: TransitionTable[Any, Any], pair: StatePair) -> None:
    """The table agrees with the grid about this pair."""
    if pair.after is None:
        with pytest.raises(IllegalTransition, match=label(pair.event)):
            next_state(table, pair.state, pair.event)
    else:
        assert next_state(table, pair.state, pair.event) is pair.after


def reachable(table: TransitionTable[Any, Any], start: Any) -> set[Any]:
    """All states that can follow, `start` included."""
    seen: set[Any] = set()
    ahead = {start}
    while ahead:
        here = ahead.pop()
        seen.add(here)
        ahead |= {after for (before, _), after in table.items() if before is here} - seen
    return seen
