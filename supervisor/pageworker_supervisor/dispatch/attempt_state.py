"""The states of an attempt: one try of this worker to run a claimed job.

An attempt is admitted: its module is resolved, verified and checked against the payload. It then holds a page, and
prepares: the runner comes up and loads the module. It is sent to the runner, and begins when the handler does.
Whatever happens is settled with one queue call, and the attempt ends. An attempt whose lease is lost, or was given
back by a drain, is detached: its work is stopped and it settles nothing, because another worker may own the job
already.
"""

from enum import Enum, auto

from pageworker_sandbox.state_machine import TransitionTable


class AttemptState(Enum):
    """Where an attempt is."""

    ADMITTING = auto()
    """Claimed. It holds no page yet."""
    PREPARING = auto()
    """It holds a page. The runner may still start, and the module may still load."""
    SENT = auto()
    """The runner has been told to run it. Its handler may begin."""
    BEGUN = auto()
    """Its handler began."""
    SETTLING = auto()
    """Its outcome is known. The queue is being told."""
    DETACHED = auto()
    """The lease does not belong to it any more."""
    ENDED = auto()


class AttemptEvent(Enum):
    """What happens to an attempt."""

    PLACE = auto()
    """It got a page."""
    SEND = auto()
    BEGIN = auto()
    SETTLE = auto()
    DETACH = auto()
    """Its lease was lost, or a drain gave it back."""
    END = auto()


TRANSITIONS: TransitionTable[AttemptState, AttemptEvent] = {
    (AttemptState.ADMITTING, AttemptEvent.PLACE): AttemptState.PREPARING,
    (AttemptState.ADMITTING, AttemptEvent.SETTLE): AttemptState.SETTLING,
    (AttemptState.ADMITTING, AttemptEvent.DETACH): AttemptState.DETACHED,
    (AttemptState.ADMITTING, AttemptEvent.END): AttemptState.ENDED,
    (AttemptState.PREPARING, AttemptEvent.SEND): AttemptState.SENT,
    (AttemptState.PREPARING, AttemptEvent.SETTLE): AttemptState.SETTLING,
    (AttemptState.PREPARING, AttemptEvent.DETACH): AttemptState.DETACHED,
    (AttemptState.PREPARING, AttemptEvent.END): AttemptState.ENDED,
    (AttemptState.SENT, AttemptEvent.BEGIN): AttemptState.BEGUN,
    (AttemptState.SENT, AttemptEvent.SETTLE): AttemptState.SETTLING,
    (AttemptState.SENT, AttemptEvent.DETACH): AttemptState.DETACHED,
    (AttemptState.SENT, AttemptEvent.END): AttemptState.ENDED,
    (AttemptState.BEGUN, AttemptEvent.SETTLE): AttemptState.SETTLING,
    (AttemptState.BEGUN, AttemptEvent.DETACH): AttemptState.DETACHED,
    (AttemptState.BEGUN, AttemptEvent.END): AttemptState.ENDED,
    # A runner that is being killed may still say that the handler began.
    (AttemptState.SETTLING, AttemptEvent.BEGIN): AttemptState.SETTLING,
    # Settling failed. If descriptors or memory were used up, the job is deferred. A bug counts as a crash.
    (AttemptState.SETTLING, AttemptEvent.SETTLE): AttemptState.SETTLING,
    (AttemptState.SETTLING, AttemptEvent.DETACH): AttemptState.DETACHED,
    (AttemptState.SETTLING, AttemptEvent.END): AttemptState.ENDED,
    (AttemptState.DETACHED, AttemptEvent.BEGIN): AttemptState.DETACHED,
    (AttemptState.DETACHED, AttemptEvent.DETACH): AttemptState.DETACHED,
    (AttemptState.DETACHED, AttemptEvent.END): AttemptState.ENDED,
    (AttemptState.ENDED, AttemptEvent.BEGIN): AttemptState.ENDED,
    (AttemptState.ENDED, AttemptEvent.DETACH): AttemptState.ENDED,
}
