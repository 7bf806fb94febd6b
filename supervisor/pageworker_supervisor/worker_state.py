"""The worker's life, as one table. No I/O."""

from enum import Enum, auto


class WorkerState(Enum):
    """Where the worker is."""

    STARTING = auto()
    READY = auto()
    DRAINING = auto()
    """Claims no more; what runs may finish."""
    DRAINED = auto()
    """Nothing runs. Waits for `resume` or the end."""
    STOPPING = auto()


class WorkerEvent(Enum):
    """What happens to the worker."""

    UP = auto()
    DRAIN = auto()
    EMPTY = auto()
    RESUME = auto()
    STOP = auto()


TABLE: dict[WorkerState, dict[WorkerEvent, WorkerState]] = {
    WorkerState.STARTING: {WorkerEvent.UP: WorkerState.READY, WorkerEvent.STOP: WorkerState.STOPPING},
    WorkerState.READY: {
        WorkerEvent.DRAIN: WorkerState.DRAINING,
        WorkerEvent.RESUME: WorkerState.READY,
        WorkerEvent.STOP: WorkerState.STOPPING,
    },
    WorkerState.DRAINING: {
        WorkerEvent.DRAIN: WorkerState.DRAINING,
        WorkerEvent.EMPTY: WorkerState.DRAINED,
        WorkerEvent.RESUME: WorkerState.READY,
        WorkerEvent.STOP: WorkerState.STOPPING,
    },
    WorkerState.DRAINED: {
        WorkerEvent.DRAIN: WorkerState.DRAINING,
        # Of two drains at once, the other one was done first.
        WorkerEvent.EMPTY: WorkerState.DRAINED,
        WorkerEvent.RESUME: WorkerState.READY,
        WorkerEvent.STOP: WorkerState.STOPPING,
    },
    WorkerState.STOPPING: {WorkerEvent.STOP: WorkerState.STOPPING, WorkerEvent.EMPTY: WorkerState.STOPPING},
}


class IllegalWorkerTransition(Exception):
    """This cannot be done in the phase the worker is in."""


def next_state(phase: WorkerState, event: WorkerEvent) -> WorkerState:
    """The phase that follows. Raises Untimely."""
    try:
        return TABLE[phase][event]
    except KeyError:
        raise IllegalWorkerTransition(f"cannot {event.name.lower()} while {phase.name.lower()}") from None
