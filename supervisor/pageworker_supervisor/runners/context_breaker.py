"""The circuit breaker of one browser context whose runner does not come up.

A failed start makes the context back off: its jobs wait, and no runner is started for it until a pause is over. Three
failed starts in a row open the breaker: until the pause is over its jobs end with the error of the last start. After
each pause one start tries again, and each further failure doubles the pause. A runner that comes up closes the
breaker. Pure: the caller passes the time in.
"""

from dataclasses import dataclass, field
from enum import Enum, auto

from pageworker_sandbox.state_machine import TransitionTable, next_state
from pageworker_supervisor.backoff import Backoff

THRESHOLD = 3
"""Failed starts in a row that open it."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0


class ContextBreakerState(Enum):
    """Whether runners of the context start."""

    CLOSED = auto()
    """They start as those of any other context."""
    BACKING_OFF = auto()
    """A start failed. None begins before the pause is over; jobs wait."""
    OPEN = auto()
    """Too many starts failed. None begins before the pause is over; jobs end with an error meanwhile."""


class ContextBreakerEvent(Enum):
    """How a start ended. A failure counts here only if the context caused it."""

    CAME_UP = auto()
    FAILED = auto()
    FAILED_AT_THRESHOLD = auto()
    """A failure that makes `THRESHOLD` failures in a row, or more."""


TRANSITIONS: TransitionTable[ContextBreakerState, ContextBreakerEvent] = {
    (ContextBreakerState.CLOSED, ContextBreakerEvent.CAME_UP): ContextBreakerState.CLOSED,
    (ContextBreakerState.CLOSED, ContextBreakerEvent.FAILED): ContextBreakerState.BACKING_OFF,
    # One failure is enough if a second start would fail for certain.
    (ContextBreakerState.CLOSED, ContextBreakerEvent.FAILED_AT_THRESHOLD): ContextBreakerState.OPEN,
    (ContextBreakerState.BACKING_OFF, ContextBreakerEvent.CAME_UP): ContextBreakerState.CLOSED,
    (ContextBreakerState.BACKING_OFF, ContextBreakerEvent.FAILED): ContextBreakerState.BACKING_OFF,
    (ContextBreakerState.BACKING_OFF, ContextBreakerEvent.FAILED_AT_THRESHOLD): ContextBreakerState.OPEN,
    (ContextBreakerState.OPEN, ContextBreakerEvent.CAME_UP): ContextBreakerState.CLOSED,
    (ContextBreakerState.OPEN, ContextBreakerEvent.FAILED_AT_THRESHOLD): ContextBreakerState.OPEN,
}


@dataclass
class ContextBreaker:
    """One context's breaker. Times are seconds on any clock that does not go back."""

    state: ContextBreakerState = ContextBreakerState.CLOSED
    failures: int = 0
    """Failures in a row that count."""
    backoff: Backoff = field(default_factory=lambda: Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS))
    undecided: int = 0
    """Starts after a failure that have not ended, and failed starts whose cause is not known yet."""

    def permits(self, now: float) -> bool:
        """May a start begin?"""
        return not self.undecided and (self.state is ContextBreakerState.CLOSED or now >= self.backoff.until)

    def refuses(self) -> bool:
        """Do jobs end with an error, without a start?"""
        return self.state is ContextBreakerState.OPEN

    def begin(self) -> bool:
        """A start begins. True: it is a probe, and the caller has to call `decided` when it ends."""
        probe = self.state is not ContextBreakerState.CLOSED
        self.undecided += probe
        return probe

    def suspect(self) -> None:
        """A start failed for a reason that is not known yet. The caller has to call `decided` once it is."""
        self.undecided += 1

    def decided(self) -> None:
        """One undecided start is decided."""
        self.undecided -= 1

    def came_up(self) -> None:
        """A start succeeded."""
        self.failures = 0
        self.backoff.reset()
        self._step(ContextBreakerEvent.CAME_UP)

    def failed(self, now: float, *, certain: bool = False, counts: bool = True) -> None:
        """The context made a start fail. `certain`: it would fail again. `counts`: it may open the breaker."""
        if counts:
            self.failures = max(self.failures + 1, THRESHOLD if certain else 0)
        at_threshold = self.failures >= THRESHOLD
        self._step(ContextBreakerEvent.FAILED_AT_THRESHOLD if at_threshold else ContextBreakerEvent.FAILED)
        # An ephemeral context may have several runners that fail at the same moment: that makes one pause.
        if now >= self.backoff.until:
            self.backoff.pause(now)

    def _step(self, event: ContextBreakerEvent) -> None:
        self.state = next_state(TRANSITIONS, self.state, event)
