"""Why a worker is drained: by a command to this worker alone, by a stored drain of the fleet, or both.

A worker takes jobs again when neither is left. A command to this worker cannot end a stored drain, which would drain it
again at its next report.
"""

from enum import Enum, auto

from pageworker_sandbox.state_machine import TransitionTable


class DrainCauses(Enum):
    """What drains the worker now."""

    NOTHING = auto()
    COMMAND = auto()
    """`workerctl drain` on its host."""
    STORED = auto()
    """A stored drain: of this worker, of one of its tags, or of the fleet."""
    BOTH = auto()


class DrainCauseEvent(Enum):
    """What changes it."""

    DRAIN = auto()
    """A command to this worker."""
    UNDRAIN = auto()
    """A command to this worker."""
    STORED_DRAIN = auto()
    """A stored drain is for this worker, or another one than before."""
    LIFTED = auto()
    """No stored drain is for this worker any more."""


TRANSITIONS: TransitionTable[DrainCauses, DrainCauseEvent] = {
    (DrainCauses.NOTHING, DrainCauseEvent.DRAIN): DrainCauses.COMMAND,
    (DrainCauses.NOTHING, DrainCauseEvent.UNDRAIN): DrainCauses.NOTHING,
    (DrainCauses.NOTHING, DrainCauseEvent.STORED_DRAIN): DrainCauses.STORED,
    (DrainCauses.COMMAND, DrainCauseEvent.DRAIN): DrainCauses.COMMAND,
    (DrainCauses.COMMAND, DrainCauseEvent.UNDRAIN): DrainCauses.NOTHING,
    (DrainCauses.COMMAND, DrainCauseEvent.STORED_DRAIN): DrainCauses.BOTH,
    (DrainCauses.STORED, DrainCauseEvent.DRAIN): DrainCauses.BOTH,
    (DrainCauses.STORED, DrainCauseEvent.STORED_DRAIN): DrainCauses.STORED,
    (DrainCauses.STORED, DrainCauseEvent.LIFTED): DrainCauses.NOTHING,
    (DrainCauses.BOTH, DrainCauseEvent.DRAIN): DrainCauses.BOTH,
    (DrainCauses.BOTH, DrainCauseEvent.STORED_DRAIN): DrainCauses.BOTH,
    (DrainCauses.BOTH, DrainCauseEvent.LIFTED): DrainCauses.COMMAND,
}

HELD_BY_FLEET = frozenset({DrainCauses.STORED, DrainCauses.BOTH})
"""A stored drain is for the worker."""
