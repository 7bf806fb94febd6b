"""A runner's life, as one table. No I/O; an event that has no row is a bug and raises."""

from enum import Enum, auto


class Life(Enum):
    """Where a runner is."""

    STARTING = auto()
    """Its sandbox, browser and pages are being brought up. Jobs may already be promised to it."""
    READY = auto()
    RETIRING = auto()
    """Takes no more jobs; those that run may finish."""
    STOPPING = auto()
    """Told to stop, or killed; not gone yet."""
    GONE = auto()


class Event(Enum):
    """What happens to a runner."""

    CAME_UP = auto()
    RETIRE = auto()
    EMPTIED = auto()
    """Its last job left."""
    DISMISS = auto()
    """Its jobs are taken from it; it may close its browser in good order."""
    KILL = auto()
    EXITED = auto()


TABLE: dict[Life, dict[Event, Life]] = {
    Life.STARTING: {
        Event.CAME_UP: Life.READY,
        Event.RETIRE: Life.RETIRING,
        Event.EMPTIED: Life.STARTING,
        Event.DISMISS: Life.STOPPING,
        Event.KILL: Life.STOPPING,
        Event.EXITED: Life.GONE,
    },
    Life.READY: {
        Event.RETIRE: Life.RETIRING,
        Event.EMPTIED: Life.READY,
        Event.DISMISS: Life.STOPPING,
        Event.KILL: Life.STOPPING,
        Event.EXITED: Life.GONE,
    },
    Life.RETIRING: {
        Event.CAME_UP: Life.RETIRING,
        Event.RETIRE: Life.RETIRING,
        Event.EMPTIED: Life.STOPPING,
        Event.DISMISS: Life.STOPPING,
        Event.KILL: Life.STOPPING,
        Event.EXITED: Life.GONE,
    },
    Life.STOPPING: {
        Event.CAME_UP: Life.STOPPING,
        Event.RETIRE: Life.STOPPING,
        Event.EMPTIED: Life.STOPPING,
        Event.DISMISS: Life.STOPPING,
        Event.KILL: Life.STOPPING,
        Event.EXITED: Life.GONE,
    },
    Life.GONE: {
        Event.RETIRE: Life.GONE,
        Event.EMPTIED: Life.GONE,
        Event.DISMISS: Life.GONE,
        Event.KILL: Life.GONE,
    },
}

TAKES_JOBS = frozenset({Life.STARTING, Life.READY})


def after(life: Life, event: Event) -> Life:
    """The state that follows. Raises LookupError for an event that cannot happen there."""
    try:
        return TABLE[life][event]
    except KeyError:
        raise LookupError(f"{event.name} cannot happen to a runner that is {life.name}") from None
