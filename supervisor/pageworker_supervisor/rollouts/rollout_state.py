"""The states of a rollout of one module, from a version to another.

Theory of operation
===================

While a rollout is `running`, a share of the jobs, or the workers with some tags, get its new version. `promote` gives
the new version to all jobs that would get the old one. `roll_back` gives the old version to all jobs that would get the
new one, also after a promotion. `stop` gives up the rollout and says nothing about the new version. A version that was
rolled back is promoted again only if an operator says so (`--again`). `resize` changes the share.
"""

from enum import Enum

from pageworker_sandbox.state_machine import TransitionTable


class RolloutState(Enum):
    """The value is stored in Redis."""

    RUNNING = "running"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    STOPPED = "stopped"


class RolloutEvent(Enum):
    """What an operator or the automatic decision does."""

    RESIZE = "resize"
    PROMOTE = "promote"
    ROLL_BACK = "roll_back"
    STOP = "stop"


_S, _E = RolloutState, RolloutEvent

TRANSITIONS: TransitionTable[RolloutState, RolloutEvent] = {
    (_S.RUNNING, _E.RESIZE): _S.RUNNING,
    (_S.RUNNING, _E.PROMOTE): _S.PROMOTED,
    (_S.RUNNING, _E.ROLL_BACK): _S.ROLLED_BACK,
    (_S.RUNNING, _E.STOP): _S.STOPPED,
    (_S.PROMOTED, _E.PROMOTE): _S.PROMOTED,
    (_S.PROMOTED, _E.ROLL_BACK): _S.ROLLED_BACK,
    (_S.ROLLED_BACK, _E.PROMOTE): _S.PROMOTED,
    (_S.ROLLED_BACK, _E.ROLL_BACK): _S.ROLLED_BACK,
    (_S.STOPPED, _E.PROMOTE): _S.PROMOTED,
    (_S.STOPPED, _E.ROLL_BACK): _S.ROLLED_BACK,
}

START = RolloutState.RUNNING
