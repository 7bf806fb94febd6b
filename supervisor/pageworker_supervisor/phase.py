"""The worker's life, as one table. No I/O."""

from enum import Enum, auto


class Phase(Enum):
    """Where the worker is."""

    STARTING = auto()
    READY = auto()
    DRAINING = auto()
    """Claims no more; what runs may finish."""
    DRAINED = auto()
    """Nothing runs. Waits for `resume` or the end."""
    STOPPING = auto()


class Turn(Enum):
    """What happens to the worker."""

    UP = auto()
    DRAIN = auto()
    EMPTY = auto()
    RESUME = auto()
    STOP = auto()


TABLE: dict[Phase, dict[Turn, Phase]] = {
    Phase.STARTING: {Turn.UP: Phase.READY, Turn.STOP: Phase.STOPPING},
    Phase.READY: {Turn.DRAIN: Phase.DRAINING, Turn.RESUME: Phase.READY, Turn.STOP: Phase.STOPPING},
    Phase.DRAINING: {
        Turn.DRAIN: Phase.DRAINING,
        Turn.EMPTY: Phase.DRAINED,
        Turn.RESUME: Phase.READY,
        Turn.STOP: Phase.STOPPING,
    },
    Phase.DRAINED: {
        Turn.DRAIN: Phase.DRAINING,
        # Of two drains at once, the other one was done first.
        Turn.EMPTY: Phase.DRAINED,
        Turn.RESUME: Phase.READY,
        Turn.STOP: Phase.STOPPING,
    },
    Phase.STOPPING: {Turn.STOP: Phase.STOPPING, Turn.EMPTY: Phase.STOPPING},
}


class Untimely(Exception):
    """This cannot be done in the phase the worker is in."""


def turn(phase: Phase, event: Turn) -> Phase:
    """The phase that follows. Raises Untimely."""
    try:
        return TABLE[phase][event]
    except KeyError:
        raise Untimely(f"cannot {event.name.lower()} while {phase.name.lower()}") from None
