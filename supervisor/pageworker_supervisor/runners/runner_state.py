"""A runner's life, as one table. No I/O; an event that has no row is a bug and raises."""

from enum import Enum, auto


class RunnerState(Enum):
    """Where a runner is."""

    STARTING = auto()
    """Its sandbox, browser and pages are being brought up. Jobs may already be promised to it."""
    READY = auto()
    RETIRING = auto()
    """Takes no more jobs; those that run may finish."""
    STOPPING = auto()
    """Told to stop, or killed; not gone yet."""
    GONE = auto()


class RunnerEvent(Enum):
    """What happens to a runner."""

    CAME_UP = auto()
    RETIRE = auto()
    EMPTIED = auto()
    """Its last job left."""
    DISMISS = auto()
    """Its jobs are taken from it; it may close its browser in good order."""
    KILL = auto()
    EXITED = auto()


TABLE: dict[RunnerState, dict[RunnerEvent, RunnerState]] = {
    RunnerState.STARTING: {
        RunnerEvent.CAME_UP: RunnerState.READY,
        RunnerEvent.RETIRE: RunnerState.RETIRING,
        RunnerEvent.EMPTIED: RunnerState.STARTING,
        RunnerEvent.DISMISS: RunnerState.STOPPING,
        RunnerEvent.KILL: RunnerState.STOPPING,
        RunnerEvent.EXITED: RunnerState.GONE,
    },
    RunnerState.READY: {
        RunnerEvent.RETIRE: RunnerState.RETIRING,
        RunnerEvent.EMPTIED: RunnerState.READY,
        RunnerEvent.DISMISS: RunnerState.STOPPING,
        RunnerEvent.KILL: RunnerState.STOPPING,
        RunnerEvent.EXITED: RunnerState.GONE,
    },
    RunnerState.RETIRING: {
        RunnerEvent.CAME_UP: RunnerState.RETIRING,
        RunnerEvent.RETIRE: RunnerState.RETIRING,
        RunnerEvent.EMPTIED: RunnerState.STOPPING,
        RunnerEvent.DISMISS: RunnerState.STOPPING,
        RunnerEvent.KILL: RunnerState.STOPPING,
        RunnerEvent.EXITED: RunnerState.GONE,
    },
    RunnerState.STOPPING: {
        RunnerEvent.CAME_UP: RunnerState.STOPPING,
        RunnerEvent.RETIRE: RunnerState.STOPPING,
        RunnerEvent.EMPTIED: RunnerState.STOPPING,
        RunnerEvent.DISMISS: RunnerState.STOPPING,
        RunnerEvent.KILL: RunnerState.STOPPING,
        RunnerEvent.EXITED: RunnerState.GONE,
    },
    RunnerState.GONE: {
        RunnerEvent.RETIRE: RunnerState.GONE,
        RunnerEvent.EMPTIED: RunnerState.GONE,
        RunnerEvent.DISMISS: RunnerState.GONE,
        RunnerEvent.KILL: RunnerState.GONE,
    },
}

TAKES_JOBS = frozenset({RunnerState.STARTING, RunnerState.READY})


def next_state(life: RunnerState, event: RunnerEvent) -> RunnerState:
    """The state that follows. Raises LookupError for an event that cannot happen there."""
    try:
        return TABLE[life][event]
    except KeyError:
        raise LookupError(f"{event.name} cannot happen to a runner that is {life.name}") from None
