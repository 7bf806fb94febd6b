"""A circuit breaker for one receiver. Pure: time comes in, nothing goes out."""

from dataclasses import dataclass
from enum import Enum, auto

from pageworker_supervisor.delivery.response import Answered, Outcome

THRESHOLD = 5
"""Failures in a row that open it."""
FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 60.0

HOST_TROUBLE = frozenset({502, 503, 504})
"""Statuses of a gateway without a receiver behind it. A 500 is one workflow's fault, the host is well."""


class CircuitState(Enum):
    """CLOSED lets everything through, OPEN nothing, PROBING one try at a time."""

    CLOSED = auto()
    OPEN = auto()
    PROBING = auto()


class CircuitEvent(Enum):
    """What can happen to it."""

    WELL = auto()
    ILL = auto()
    ILL_TOO_OFTEN = auto()
    PAUSE_OVER = auto()


TRANSITIONS: dict[tuple[CircuitState, CircuitEvent], CircuitState] = {
    (CircuitState.CLOSED, CircuitEvent.WELL): CircuitState.CLOSED,
    (CircuitState.CLOSED, CircuitEvent.ILL): CircuitState.CLOSED,
    (CircuitState.CLOSED, CircuitEvent.ILL_TOO_OFTEN): CircuitState.OPEN,
    (CircuitState.CLOSED, CircuitEvent.PAUSE_OVER): CircuitState.CLOSED,
    # Tries that were under way when it opened still end.
    (CircuitState.OPEN, CircuitEvent.WELL): CircuitState.CLOSED,
    (CircuitState.OPEN, CircuitEvent.ILL): CircuitState.OPEN,
    (CircuitState.OPEN, CircuitEvent.ILL_TOO_OFTEN): CircuitState.OPEN,
    (CircuitState.OPEN, CircuitEvent.PAUSE_OVER): CircuitState.PROBING,
    (CircuitState.PROBING, CircuitEvent.WELL): CircuitState.CLOSED,
    (CircuitState.PROBING, CircuitEvent.ILL): CircuitState.OPEN,
    (CircuitState.PROBING, CircuitEvent.ILL_TOO_OFTEN): CircuitState.OPEN,
    (CircuitState.PROBING, CircuitEvent.PAUSE_OVER): CircuitState.PROBING,
}


@dataclass
class CircuitBreaker:
    """Times are seconds on any clock that does not go back."""

    state: CircuitState = CircuitState.CLOSED
    failures: int = 0
    """In a row."""
    pauses: int = 0
    """In a row, each twice as long as the one before."""
    open_until: float = 0.0

    def permits(self, now: float, active: int) -> bool:
        """May another try start while `active` are under way?"""
        if self.state is CircuitState.OPEN and now >= self.open_until:
            self._step(CircuitEvent.PAUSE_OVER)
        return self.state is CircuitState.CLOSED or (self.state is CircuitState.PROBING and active == 0)

    def record(self, outcome: Outcome, now: float) -> None:
        """A try ended."""
        if isinstance(outcome, Answered) and outcome.status not in HOST_TROUBLE:
            self.failures = self.pauses = 0
            self.open_until = 0.0
            self._step(CircuitEvent.WELL)
            return
        self.failures += 1
        before = self.state
        self._step(CircuitEvent.ILL_TOO_OFTEN if self.failures >= THRESHOLD else CircuitEvent.ILL)
        if self.state is CircuitState.OPEN and before is not CircuitState.OPEN:
            self.open_until = now + min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(self.pauses, 16))
            self.pauses += 1

    def _step(self, event: CircuitEvent) -> None:
        self.state = TRANSITIONS[self.state, event]
