"""A circuit breaker for one receiver. Pure: time comes in, nothing goes out."""

from dataclasses import dataclass
from enum import Enum, auto

from pageworker_supervisor.delivery.outcome import Answered, Outcome

THRESHOLD = 5
"""Failures in a row that open it."""
FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 60.0

HOST_TROUBLE = frozenset({502, 503, 504})
"""Statuses of a gateway without a receiver behind it. A 500 is one workflow's fault, the host is well."""


class State(Enum):
    """CLOSED lets everything through, OPEN nothing, PROBING one try at a time."""

    CLOSED = auto()
    OPEN = auto()
    PROBING = auto()


class Event(Enum):
    """What can happen to it."""

    WELL = auto()
    ILL = auto()
    ILL_TOO_OFTEN = auto()
    PAUSE_OVER = auto()


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.CLOSED, Event.WELL): State.CLOSED,
    (State.CLOSED, Event.ILL): State.CLOSED,
    (State.CLOSED, Event.ILL_TOO_OFTEN): State.OPEN,
    (State.CLOSED, Event.PAUSE_OVER): State.CLOSED,
    # Tries that were under way when it opened still end.
    (State.OPEN, Event.WELL): State.CLOSED,
    (State.OPEN, Event.ILL): State.OPEN,
    (State.OPEN, Event.ILL_TOO_OFTEN): State.OPEN,
    (State.OPEN, Event.PAUSE_OVER): State.PROBING,
    (State.PROBING, Event.WELL): State.CLOSED,
    (State.PROBING, Event.ILL): State.OPEN,
    (State.PROBING, Event.ILL_TOO_OFTEN): State.OPEN,
    (State.PROBING, Event.PAUSE_OVER): State.PROBING,
}


@dataclass
class Breaker:
    """Times are seconds on any clock that does not go back."""

    state: State = State.CLOSED
    failures: int = 0
    """In a row."""
    pauses: int = 0
    """In a row, each twice as long as the one before."""
    open_until: float = 0.0

    def permits(self, now: float, active: int) -> bool:
        """May another try start while `active` are under way?"""
        if self.state is State.OPEN and now >= self.open_until:
            self._step(Event.PAUSE_OVER)
        return self.state is State.CLOSED or (self.state is State.PROBING and active == 0)

    def record(self, outcome: Outcome, now: float) -> None:
        """A try ended."""
        if isinstance(outcome, Answered) and outcome.status not in HOST_TROUBLE:
            self.failures = self.pauses = 0
            self.open_until = 0.0
            self._step(Event.WELL)
            return
        self.failures += 1
        before = self.state
        self._step(Event.ILL_TOO_OFTEN if self.failures >= THRESHOLD else Event.ILL)
        if self.state is State.OPEN and before is not State.OPEN:
            self.open_until = now + min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(self.pauses, 16))
            self.pauses += 1

    def _step(self, event: Event) -> None:
        self.state = TRANSITIONS[self.state, event]
