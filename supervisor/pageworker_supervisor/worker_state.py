"""The states of a worker: one supervisor process and its runners.

A worker starts, then takes jobs. A drain stops new claims: running jobs may finish, and the worker is drained when
none is left. An undrain takes jobs again. SIGTERM stops the worker from every state; it drains first if jobs may
still run.
"""

from enum import Enum, auto

from pageworker_sandbox.state_machine import TransitionTable


class WorkerState(Enum):
    """Where the worker is."""

    STARTING = auto()
    READY = auto()
    """It takes jobs."""
    DRAINING = auto()
    """It claims no more jobs. Running jobs may finish."""
    DRAINED = auto()
    """No job runs. It waits for an undrain or for the end."""
    STOPPING = auto()


class WorkerEvent(Enum):
    """What happens to the worker."""

    CAME_UP = auto()
    DRAIN = auto()
    EMPTIED = auto()
    """Its last job and its last runner are gone."""
    UNDRAIN = auto()
    STOP = auto()


TRANSITIONS: TransitionTable[WorkerState, WorkerEvent] = {
    (WorkerState.STARTING, WorkerEvent.CAME_UP): WorkerState.READY,
    (WorkerState.STARTING, WorkerEvent.STOP): WorkerState.STOPPING,
    (WorkerState.READY, WorkerEvent.DRAIN): WorkerState.DRAINING,
    (WorkerState.READY, WorkerEvent.UNDRAIN): WorkerState.READY,
    (WorkerState.READY, WorkerEvent.STOP): WorkerState.STOPPING,
    (WorkerState.DRAINING, WorkerEvent.DRAIN): WorkerState.DRAINING,
    (WorkerState.DRAINING, WorkerEvent.EMPTIED): WorkerState.DRAINED,
    (WorkerState.DRAINING, WorkerEvent.UNDRAIN): WorkerState.READY,
    (WorkerState.DRAINING, WorkerEvent.STOP): WorkerState.STOPPING,
    (WorkerState.DRAINED, WorkerEvent.DRAIN): WorkerState.DRAINING,
    # Two drains may run at once. The other one was done first.
    (WorkerState.DRAINED, WorkerEvent.EMPTIED): WorkerState.DRAINED,
    (WorkerState.DRAINED, WorkerEvent.UNDRAIN): WorkerState.READY,
    (WorkerState.DRAINED, WorkerEvent.STOP): WorkerState.STOPPING,
    # A drain may still end while the worker stops.
    (WorkerState.STOPPING, WorkerEvent.EMPTIED): WorkerState.STOPPING,
    (WorkerState.STOPPING, WorkerEvent.STOP): WorkerState.STOPPING,
}
