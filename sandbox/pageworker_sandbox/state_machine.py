"""One idiom for every life cycle: states, events, one table of transitions.

A life cycle is a file with an Enum of states, an Enum of events and a `TransitionTable`. A pair of state and event
that has no entry in the table is illegal: `next_state` raises `IllegalTransition`. An event that changes nothing in
a state has an entry that leads back to it. `diagram` makes the diagrams of the docs from the tables.
"""

from collections.abc import Collection, Iterator, Mapping
from enum import Enum
from typing import TypeVar

S = TypeVar("S", bound=Enum)
E = TypeVar("E", bound=Enum)

TransitionTable = Mapping[tuple[S, E], S]
"""The state that follows each legal pair of state and event."""


class IllegalTransition(Exception):
    """This event cannot happen in this state: a bug in the caller."""

    def __init__(self, state: Enum, event: Enum) -> None:
        super().__init__(
            f"event {label(event)!r} is illegal in state {label(state)!r} of {type(state).__name__}; "
            f"the transition table has no entry for this pair"
        )
        self.state = state
        self.event = event


def next_state(table: TransitionTable[S, E], state: S, event: E) -> S:
    """The state that follows. Raises IllegalTransition."""
    try:
        return table[state, event]
    except KeyError:
        raise IllegalTransition(state, event) from None


def label(member: Enum) -> str:
    """A state or event as messages and diagrams write it: `COME_DUE` is `come_due`."""
    return member.name.lower()


def diagram(table: TransitionTable[S, E], start: S, finals: Collection[S] = ()) -> str:
    """The table as a mermaid `stateDiagram-v2`. Events that lead from one state to the same one share an arrow.

    Events that change nothing are left out: they are in the table because they may arrive late or twice.
    """
    return "\n".join(_lines(table, start, finals)) + "\n"


def _lines(table: TransitionTable[S, E], start: S, finals: Collection[S]) -> Iterator[str]:
    yield "stateDiagram-v2"
    yield f"    [*] --> {label(start)}"
    arrows: dict[tuple[S, S], list[str]] = {}
    for (before, event), after in table.items():
        if before is not after:
            arrows.setdefault((before, after), []).append(label(event))
    for (before, after), events in arrows.items():
        yield f"    {label(before)} --> {label(after)}: {', '.join(events)}"
    for final in finals:
        yield f"    {label(final)} --> [*]"
