"""A circuit breaker for one browser context whose runner does not come up. Pure: time comes in, nothing goes out.

A few failures make the context wait, longer each time. Too many open the breaker: nothing is started for the context
until the pause is over, and its jobs are answered with the error of the last start. After each pause one start tries.
"""

from dataclasses import dataclass
from enum import Enum, auto

THRESHOLD = 3
"""Failed starts in a row that open it."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0


class BreakerState(Enum):
    """Where a context is."""

    CLOSED = auto()
    """It starts as any other."""
    BACKING_OFF = auto()
    """It failed. Nothing starts until the pause is over; its jobs wait."""
    OPEN = auto()
    """It failed too often. As above, and its jobs are refused meanwhile."""


class BreakerEvent(Enum):
    """How a start ended, where its context is the reason."""

    CAME_UP = auto()
    FAILED = auto()
    FAILED_TOO_OFTEN = auto()


TRANSITIONS: dict[tuple[BreakerState, BreakerEvent], BreakerState] = {
    (BreakerState.CLOSED, BreakerEvent.CAME_UP): BreakerState.CLOSED,
    (BreakerState.CLOSED, BreakerEvent.FAILED): BreakerState.BACKING_OFF,
    (BreakerState.CLOSED, BreakerEvent.FAILED_TOO_OFTEN): BreakerState.OPEN,
    (BreakerState.BACKING_OFF, BreakerEvent.CAME_UP): BreakerState.CLOSED,
    (BreakerState.BACKING_OFF, BreakerEvent.FAILED): BreakerState.BACKING_OFF,
    (BreakerState.BACKING_OFF, BreakerEvent.FAILED_TOO_OFTEN): BreakerState.OPEN,
    (BreakerState.OPEN, BreakerEvent.CAME_UP): BreakerState.CLOSED,
    # An uncharged failure after charged ones: the jobs wait again.
    (BreakerState.OPEN, BreakerEvent.FAILED): BreakerState.OPEN,
    (BreakerState.OPEN, BreakerEvent.FAILED_TOO_OFTEN): BreakerState.OPEN,
}


@dataclass
class ContextBreaker:
    """Times are seconds on any clock that does not go back."""

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    """In a row, of those that count."""
    pauses: int = 0
    """In a row, each twice as long as the one before."""
    until: float = 0.0
    undecided: int = 0
    """Starts after a failure that have not ended, and failed starts whose fault is not known yet."""

    def permits(self, now: float) -> bool:
        """May a start begin?"""
        return not self.undecided and (self.state is BreakerState.CLOSED or now >= self.until)

    def refuses(self) -> bool:
        """Are jobs to be answered without a start?"""
        return self.state is BreakerState.OPEN

    def remaining_seconds(self, now: float) -> float:
        """How long the pause still takes."""
        return max(0.0, self.until - now)

    def begin(self) -> bool:
        """A start begins. True: it is a probe, and its end has to be told by `decided`."""
        probe = self.state is not BreakerState.CLOSED
        self.undecided += probe
        return probe

    def suspect(self) -> None:
        """A start failed, and it is not known why. Its end has to be told by `decided`."""
        self.undecided += 1

    def decided(self) -> None:
        """One that was undecided is told."""
        self.undecided -= 1

    def came_up(self) -> None:
        """A start succeeded."""
        self.failures = self.pauses = 0
        self.until = 0.0
        self._step(BreakerEvent.CAME_UP)

    def failed(self, now: float, *, certain: bool = False, counts: bool = True) -> None:
        """A start failed through the context. `certain`: it would fail again. `counts`: it may open the breaker."""
        if counts:
            self.failures = max(self.failures + 1, THRESHOLD if certain else 0)
        too_often = self.failures >= THRESHOLD
        self._step(BreakerEvent.FAILED_TOO_OFTEN if too_often else BreakerEvent.FAILED)
        # Several of one moment (an ephemeral context with more than one runner) make one pause.
        if now >= self.until:
            self.until = now + min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(self.pauses, 16))
            self.pauses += 1

    def _step(self, event: BreakerEvent) -> None:
        self.state = TRANSITIONS[self.state, event]
