"""The states of a runner: one sandboxed process tree with one browser context.

A runner starts its sandbox, its browser and its pages, then it is ready. A runner that retires takes no more jobs and
stops when its last page is free. A runner that is dismissed or killed loses its jobs at once. When no process of its
tree is left, what its browser has left in the profile is stored; this can happen in every state, because the process
may exit by itself. Then it is gone. A runner without a process, whose start failed, is gone at once.
"""

from enum import Enum, auto

from pageworker_sandbox.state_machine import TransitionTable


class RunnerState(Enum):
    """Where a runner is."""

    STARTING = auto()
    """Its sandbox, browser and pages come up. Pages of it may already be reserved."""
    READY = auto()
    RETIRING = auto()
    """It takes no more jobs. Running jobs may finish."""
    STOPPING = auto()
    """It was told to stop, or killed. Its processes may still exist."""
    STORING = auto()
    """None of its processes exists. Its profile is measured and stored, under the lock that it was opened under."""
    GONE = auto()


class RunnerEvent(Enum):
    """What happens to a runner."""

    CAME_UP = auto()
    RETIRE = auto()
    EMPTIED = auto()
    """Its last page became free."""
    DISMISS = auto()
    """Its jobs are taken from it. It may close its browser itself."""
    KILL = auto()
    EXITED = auto()
    """No process of its tree is left."""
    ENDED = auto()
    """Nothing is left to do for it. An error on the way has this event, too."""


TRANSITIONS: TransitionTable[RunnerState, RunnerEvent] = {
    (RunnerState.STARTING, RunnerEvent.CAME_UP): RunnerState.READY,
    (RunnerState.STARTING, RunnerEvent.RETIRE): RunnerState.RETIRING,
    (RunnerState.STARTING, RunnerEvent.EMPTIED): RunnerState.STARTING,
    (RunnerState.STARTING, RunnerEvent.DISMISS): RunnerState.STOPPING,
    (RunnerState.STARTING, RunnerEvent.KILL): RunnerState.STOPPING,
    (RunnerState.STARTING, RunnerEvent.EXITED): RunnerState.STORING,
    (RunnerState.STARTING, RunnerEvent.ENDED): RunnerState.GONE,
    (RunnerState.READY, RunnerEvent.RETIRE): RunnerState.RETIRING,
    (RunnerState.READY, RunnerEvent.EMPTIED): RunnerState.READY,
    (RunnerState.READY, RunnerEvent.DISMISS): RunnerState.STOPPING,
    (RunnerState.READY, RunnerEvent.KILL): RunnerState.STOPPING,
    (RunnerState.READY, RunnerEvent.EXITED): RunnerState.STORING,
    (RunnerState.READY, RunnerEvent.ENDED): RunnerState.GONE,
    (RunnerState.RETIRING, RunnerEvent.CAME_UP): RunnerState.RETIRING,
    (RunnerState.RETIRING, RunnerEvent.RETIRE): RunnerState.RETIRING,
    (RunnerState.RETIRING, RunnerEvent.EMPTIED): RunnerState.STOPPING,
    (RunnerState.RETIRING, RunnerEvent.DISMISS): RunnerState.STOPPING,
    (RunnerState.RETIRING, RunnerEvent.KILL): RunnerState.STOPPING,
    (RunnerState.RETIRING, RunnerEvent.EXITED): RunnerState.STORING,
    (RunnerState.RETIRING, RunnerEvent.ENDED): RunnerState.GONE,
    (RunnerState.STOPPING, RunnerEvent.CAME_UP): RunnerState.STOPPING,
    (RunnerState.STOPPING, RunnerEvent.RETIRE): RunnerState.STOPPING,
    (RunnerState.STOPPING, RunnerEvent.EMPTIED): RunnerState.STOPPING,
    (RunnerState.STOPPING, RunnerEvent.DISMISS): RunnerState.STOPPING,
    (RunnerState.STOPPING, RunnerEvent.KILL): RunnerState.STOPPING,
    (RunnerState.STOPPING, RunnerEvent.EXITED): RunnerState.STORING,
    (RunnerState.STOPPING, RunnerEvent.ENDED): RunnerState.GONE,
    (RunnerState.STORING, RunnerEvent.RETIRE): RunnerState.STORING,
    (RunnerState.STORING, RunnerEvent.EMPTIED): RunnerState.STORING,
    (RunnerState.STORING, RunnerEvent.DISMISS): RunnerState.STORING,
    (RunnerState.STORING, RunnerEvent.KILL): RunnerState.STORING,
    (RunnerState.STORING, RunnerEvent.ENDED): RunnerState.GONE,
    # The fleet and attempts may still act on a runner after its processes are gone.
    (RunnerState.GONE, RunnerEvent.RETIRE): RunnerState.GONE,
    (RunnerState.GONE, RunnerEvent.EMPTIED): RunnerState.GONE,
    (RunnerState.GONE, RunnerEvent.DISMISS): RunnerState.GONE,
    (RunnerState.GONE, RunnerEvent.KILL): RunnerState.GONE,
}

TAKES_JOBS = frozenset({RunnerState.STARTING, RunnerState.READY})
"""States in which pages of the runner may be reserved."""

NO_PROCESS = frozenset({RunnerState.STORING, RunnerState.GONE})
"""States without a process."""
