"""Whether this host can start browsers at all. Pure: time comes in, nothing goes out.

While it cannot, no job's start is tried: the worker starts a runner of nobody, later each time, until one comes up.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf

from pageworker_supervisor.runners.spawn_backoff import SpawnBackoff

FAILED_STARTS = 3
"""In a row, after which the worker says that it is not ready."""


class HostState(Enum):
    """Where the host is."""

    WELL = auto()
    DOUBTED = auto()
    """A browser did not come up, and none has since. Starts go on; a probe is due at once."""
    CLOSED = auto()
    """The host failed a start. Probes only."""
    FAILING = auto()
    """It failed several, and none came up: the worker is not ready."""


class HostEvent(Enum):
    """How a start ended, as far as the host is the reason."""

    CAME_UP = auto()
    DOUBT = auto()
    FAILED = auto()
    FAILED_TOO_OFTEN = auto()


TRANSITIONS: dict[tuple[HostState, HostEvent], HostState] = {
    (HostState.WELL, HostEvent.CAME_UP): HostState.WELL,
    (HostState.WELL, HostEvent.DOUBT): HostState.DOUBTED,
    (HostState.WELL, HostEvent.FAILED): HostState.CLOSED,
    (HostState.WELL, HostEvent.FAILED_TOO_OFTEN): HostState.FAILING,
    (HostState.DOUBTED, HostEvent.CAME_UP): HostState.WELL,
    (HostState.DOUBTED, HostEvent.DOUBT): HostState.DOUBTED,
    (HostState.DOUBTED, HostEvent.FAILED): HostState.CLOSED,
    (HostState.DOUBTED, HostEvent.FAILED_TOO_OFTEN): HostState.FAILING,
    (HostState.CLOSED, HostEvent.CAME_UP): HostState.WELL,
    (HostState.CLOSED, HostEvent.DOUBT): HostState.CLOSED,
    (HostState.CLOSED, HostEvent.FAILED): HostState.CLOSED,
    (HostState.CLOSED, HostEvent.FAILED_TOO_OFTEN): HostState.FAILING,
    (HostState.FAILING, HostEvent.CAME_UP): HostState.WELL,
    (HostState.FAILING, HostEvent.DOUBT): HostState.FAILING,
    (HostState.FAILING, HostEvent.FAILED): HostState.FAILING,
    (HostState.FAILING, HostEvent.FAILED_TOO_OFTEN): HostState.FAILING,
}


@dataclass
class HostHealth:
    """Times are seconds on any clock that does not go back."""

    state: HostState = HostState.WELL
    failures: int = 0
    """In a row."""
    reason: str = ""
    """Of the last failure."""
    last_came_up: float = -inf
    last_failed: float = -inf
    _backoff: SpawnBackoff = field(default_factory=SpawnBackoff)

    @property
    def closed(self) -> bool:
        """True while no job's start is tried."""
        return self.state in (HostState.CLOSED, HostState.FAILING)

    @property
    def trouble(self) -> str | None:
        """Why the worker is not ready; None where it is."""
        if self.state is not HostState.FAILING:
            return None
        return f"no browser starts here, {self.failures} starts failed: {self.reason}"

    def came_up(self, now: float) -> None:
        """Some runner came up."""
        self.failures = 0
        self.reason = ""
        self.last_came_up = now
        self._backoff.spawned(now, ok=True)
        self._step(HostEvent.CAME_UP)

    def doubt(self) -> None:
        """A browser did not come up, and it is not known why."""
        self._step(HostEvent.DOUBT)

    def failed(self, now: float, reason: str) -> None:
        """The host failed a start: one of a job, or a probe."""
        # With the start that made the doubt.
        self.failures += 2 if self.state is HostState.DOUBTED else 1
        self.reason = reason
        self.last_failed = now
        self._backoff.spawned(now, ok=False)
        self._step(HostEvent.FAILED_TOO_OFTEN if self.failures >= FAILED_STARTS else HostEvent.FAILED)

    def probe_in(self, now: float) -> float | None:
        """Seconds until a runner of nobody should be started; None where none is needed."""
        match self.state:
            case HostState.WELL:
                return None
            case HostState.DOUBTED:
                return 0.0
            case _:
                return self._backoff.remaining_seconds(now)

    def _step(self, event: HostEvent) -> None:
        self.state = TRANSITIONS[self.state, event]
