"""The life of one page, without I/O: states, events, and the one table of what follows what."""

from enum import Enum, auto


class PageState(Enum):
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


class PageEvent(Enum):
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


NEXT: dict[tuple[PageState, PageEvent], PageState] = {
    (PageState.IDLE, PageEvent.RESERVE): PageState.RESERVED,
    (PageState.IDLE, PageEvent.CRASH): PageState.RECYCLE,
    (PageState.RESERVED, PageEvent.START): PageState.RUNNING,
    (PageState.RESERVED, PageEvent.RELEASE): PageState.RECYCLE,
    (PageState.RESERVED, PageEvent.CRASH): PageState.RESERVED,
    (PageState.RUNNING, PageEvent.FINISH): PageState.RECYCLE,
    (PageState.RUNNING, PageEvent.CRASH): PageState.RUNNING,
    (PageState.RECYCLE, PageEvent.CLEAN): PageState.IDLE,
    (PageState.RECYCLE, PageEvent.LOSE): PageState.LOST,
    (PageState.RECYCLE, PageEvent.CRASH): PageState.RECYCLE,
    (PageState.LOST, PageEvent.CRASH): PageState.LOST,
}


class IllegalPageTransition(Exception):
    """An event that its state does not know: a bug of the runner."""


def next_state(state: PageState, event: PageEvent) -> PageState:
    """The state after `event`. Raises IllegalEvent."""
    try:
        return NEXT[state, event]
    except KeyError:
        raise IllegalPageTransition(f"{event.name} while {state.name}") from None
