"""The life of one page, without I/O: states, events, and the one table of what follows what."""

from enum import Enum, auto


class State(Enum):
    """Where a page is."""

    IDLE = auto()
    """Proved clean; waits for an attempt."""
    RESERVED = auto()
    """Promised to one attempt that has not begun."""
    RUNNING = auto()
    """A handler has it."""
    RECYCLE = auto()
    """The result has left; the page is being proved clean, or replaced."""
    LOST = auto()
    """It could neither be cleaned nor replaced. The end: the runner is retired."""


class Event(Enum):
    """What happens to a page."""

    RESERVE = auto()
    RELEASE = auto()
    """The attempt ended before its handler began."""
    START = auto()
    FINISH = auto()
    CLEAN = auto()
    """Proved clean, or replaced by a new page."""
    CRASH = auto()
    """Its renderer died. A page in use stays with its attempt, which is told and finishes."""
    LOSE = auto()


NEXT: dict[tuple[State, Event], State] = {
    (State.IDLE, Event.RESERVE): State.RESERVED,
    (State.IDLE, Event.CRASH): State.RECYCLE,
    (State.RESERVED, Event.START): State.RUNNING,
    (State.RESERVED, Event.RELEASE): State.RECYCLE,
    (State.RESERVED, Event.CRASH): State.RESERVED,
    (State.RUNNING, Event.FINISH): State.RECYCLE,
    (State.RUNNING, Event.CRASH): State.RUNNING,
    (State.RECYCLE, Event.CLEAN): State.IDLE,
    (State.RECYCLE, Event.LOSE): State.LOST,
    (State.RECYCLE, Event.CRASH): State.RECYCLE,
    (State.LOST, Event.CRASH): State.LOST,
}


class IllegalEvent(Exception):
    """An event that its state does not know: a bug of the runner."""


def follow(state: State, event: Event) -> State:
    """The state after `event`. Raises IllegalEvent."""
    try:
        return NEXT[state, event]
    except KeyError:
        raise IllegalEvent(f"{event.name} while {state.name}") from None
