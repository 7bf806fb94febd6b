"""The states of a page in the runner's page pool.

A page belongs to one attempt at a time. It is reserved, runs the handler, and is recycled: proved clean or replaced
by a new page. Only a recycled page becomes idle again, so every attempt gets a page that is new or was proved clean. If
a page can neither be cleaned nor replaced, it is lost, and the runner asks to be retired.
"""

from enum import Enum, auto

from pageworker_sandbox.state_machine import TransitionTable


class PageState(Enum):
    """Where a page is."""

    IDLE = auto()
    """Proved clean. It waits for an attempt."""
    RESERVED = auto()
    """It belongs to one attempt whose handler has not begun."""
    RUNNING = auto()
    """A handler uses it."""
    RECYCLING = auto()
    """The result has been sent. The page is proved clean, or replaced."""
    LOST = auto()
    """It could neither be cleaned nor replaced. The runner is retired."""


class PageEvent(Enum):
    """What happens to a page."""

    RESERVE = auto()
    RELEASE = auto()
    """The attempt ended before its handler began."""
    START = auto()
    FINISH = auto()
    CLEAN = auto()
    """It was proved clean, or replaced by a new page."""
    CRASH = auto()
    """Its renderer died. A page in use stays with its attempt, which fails."""
    LOSE = auto()


TRANSITIONS: TransitionTable[PageState, PageEvent] = {
    (PageState.IDLE, PageEvent.RESERVE): PageState.RESERVED,
    (PageState.IDLE, PageEvent.CRASH): PageState.RECYCLING,
    (PageState.RESERVED, PageEvent.START): PageState.RUNNING,
    (PageState.RESERVED, PageEvent.RELEASE): PageState.RECYCLING,
    (PageState.RESERVED, PageEvent.CRASH): PageState.RESERVED,
    (PageState.RUNNING, PageEvent.FINISH): PageState.RECYCLING,
    (PageState.RUNNING, PageEvent.CRASH): PageState.RUNNING,
    (PageState.RECYCLING, PageEvent.CLEAN): PageState.IDLE,
    (PageState.RECYCLING, PageEvent.LOSE): PageState.LOST,
    (PageState.RECYCLING, PageEvent.CRASH): PageState.RECYCLING,
    (PageState.LOST, PageEvent.CRASH): PageState.LOST,
}
