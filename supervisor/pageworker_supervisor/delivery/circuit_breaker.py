"""The circuit breaker of one callback receiver.

A closed breaker lets every try through. Five failures in a row open it: no try starts until a pause is over. After
the pause one try at a time probes the receiver. A success closes the breaker; a failure opens it again, with a pause
twice as long. Pure: the caller passes the time in.
"""

from dataclasses import dataclass, field
from enum import Enum, auto

from pageworker_sandbox.state_machine import TransitionTable, next_state
from pageworker_supervisor.backoff import Backoff
from pageworker_supervisor.delivery.callback_policy import Answered, DeliveryOutcome

THRESHOLD = 5
"""Failures in a row that open it."""
FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 60.0

HOST_FAILURES = frozenset({502, 503, 504})
"""Statuses of a gateway without a receiver behind it. A 500 is one workflow's failure; its host is well."""


class CircuitState(Enum):
    """Whether tries may start."""

    CLOSED = auto()
    """All tries may start."""
    OPEN = auto()
    """No try may start before the pause is over."""
    PROBING = auto()
    """One try at a time may start."""


class CircuitEvent(Enum):
    """How a try ended, or that time passed."""

    SUCCESS = auto()
    FAILURE = auto()
    FAILURE_AT_THRESHOLD = auto()
    """A failure that makes `THRESHOLD` failures in a row, or more."""
    PAUSE_OVER = auto()


TRANSITIONS: TransitionTable[CircuitState, CircuitEvent] = {
    (CircuitState.CLOSED, CircuitEvent.SUCCESS): CircuitState.CLOSED,
    (CircuitState.CLOSED, CircuitEvent.FAILURE): CircuitState.CLOSED,
    (CircuitState.CLOSED, CircuitEvent.FAILURE_AT_THRESHOLD): CircuitState.OPEN,
    # Tries that were under way when the breaker opened still end.
    (CircuitState.OPEN, CircuitEvent.SUCCESS): CircuitState.CLOSED,
    (CircuitState.OPEN, CircuitEvent.FAILURE_AT_THRESHOLD): CircuitState.OPEN,
    (CircuitState.OPEN, CircuitEvent.PAUSE_OVER): CircuitState.PROBING,
    (CircuitState.PROBING, CircuitEvent.SUCCESS): CircuitState.CLOSED,
    (CircuitState.PROBING, CircuitEvent.FAILURE_AT_THRESHOLD): CircuitState.OPEN,
}


@dataclass
class CircuitBreaker:
    """One receiver's breaker. Times are seconds on any clock that does not go back."""

    state: CircuitState = CircuitState.CLOSED
    failures: int = 0
    """In a row."""
    backoff: Backoff = field(default_factory=lambda: Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS))

    def permits(self, now: float, active: int) -> bool:
        """May another try start while `active` tries are under way?"""
        if self.state is CircuitState.OPEN and now >= self.backoff.until:
            self._step(CircuitEvent.PAUSE_OVER)
        return self.state is CircuitState.CLOSED or (self.state is CircuitState.PROBING and active == 0)

    def record(self, outcome: DeliveryOutcome, now: float) -> None:
        """A try ended."""
        if isinstance(outcome, Answered) and outcome.status not in HOST_FAILURES:
            self.failures = 0
            self.backoff.reset()
            self._step(CircuitEvent.SUCCESS)
            return
        self.failures += 1
        before = self.state
        self._step(CircuitEvent.FAILURE_AT_THRESHOLD if self.failures >= THRESHOLD else CircuitEvent.FAILURE)
        if self.state is CircuitState.OPEN and before is not CircuitState.OPEN:
            self.backoff.pause(now)

    def _step(self, event: CircuitEvent) -> None:
        self.state = next_state(TRANSITIONS, self.state, event)
