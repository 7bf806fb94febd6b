"""Whether this host can start browsers at all.

A host is doubted when a browser did not come up for an unknown reason: jobs still start runners, and a probe (a
runner of no tenant) starts at once. The host is closed when it made a start fail: no job starts a runner, only probes
start, each after a longer pause. After three failed starts in a row it is failing, and the worker is not ready. Any
runner that comes up makes the host well again. Pure: the caller passes the time in.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf

from pageworker_sandbox.state_machine import TransitionTable, next_state
from pageworker_supervisor.runners.spawn_backoff import SpawnBackoff

FAILED_STARTS = 3
"""In a row, after which the worker is not ready."""


class HostState(Enum):
    """What is known of the host."""

    WELL = auto()
    DOUBTED = auto()
    """A browser did not come up, and no other has since. Jobs still start runners; a probe is due at once."""
    CLOSED = auto()
    """The host made a start fail. Only probes start."""
    FAILING = auto()
    """Several starts failed in a row. Only probes start, and the worker is not ready."""


class HostEvent(Enum):
    """How a start ended. A failure counts here only if the host may have caused it."""

    CAME_UP = auto()
    DOUBT = auto()
    """It failed for an unknown reason."""
    FAILED = auto()
    """The host made it fail."""
    FAILED_AT_THRESHOLD = auto()
    """A failure that makes `FAILED_STARTS` failures in a row, or more."""


TRANSITIONS: TransitionTable[HostState, HostEvent] = {
    (HostState.WELL, HostEvent.CAME_UP): HostState.WELL,
    (HostState.WELL, HostEvent.DOUBT): HostState.DOUBTED,
    (HostState.WELL, HostEvent.FAILED): HostState.CLOSED,
    (HostState.DOUBTED, HostEvent.CAME_UP): HostState.WELL,
    (HostState.DOUBTED, HostEvent.DOUBT): HostState.DOUBTED,
    (HostState.DOUBTED, HostEvent.FAILED): HostState.CLOSED,
    (HostState.CLOSED, HostEvent.CAME_UP): HostState.WELL,
    (HostState.CLOSED, HostEvent.DOUBT): HostState.CLOSED,
    (HostState.CLOSED, HostEvent.FAILED): HostState.CLOSED,
    (HostState.CLOSED, HostEvent.FAILED_AT_THRESHOLD): HostState.FAILING,
    (HostState.FAILING, HostEvent.CAME_UP): HostState.WELL,
    (HostState.FAILING, HostEvent.DOUBT): HostState.FAILING,
    (HostState.FAILING, HostEvent.FAILED_AT_THRESHOLD): HostState.FAILING,
}


@dataclass
class HostHealth:
    """This worker's host. Times are seconds on any clock that does not go back."""

    state: HostState = HostState.WELL
    failures: int = 0
    """In a row."""
    reason: str = ""
    """Why the last start failed."""
    last_came_up: float = -inf
    last_failed: float = -inf
    _backoff: SpawnBackoff = field(default_factory=SpawnBackoff)

    @property
    def closed(self) -> bool:
        """True while no job may start a runner."""
        return self.state in (HostState.CLOSED, HostState.FAILING)

    @property
    def trouble(self) -> str | None:
        """Why the worker is not ready; None where it is."""
        if self.state is not HostState.FAILING:
            return None
        return f"no browser starts here, {self.failures} starts failed: {self.reason}"

    def came_up(self, now: float) -> None:
        """A runner came up."""
        self.failures = 0
        self.reason = ""
        self.last_came_up = now
        self._backoff.spawned(now, ok=True)
        self._step(HostEvent.CAME_UP)

    def doubt(self) -> None:
        """A browser did not come up for an unknown reason."""
        self._step(HostEvent.DOUBT)

    def failed(self, now: float, reason: str) -> None:
        """The host made a start fail: a job's, or a probe."""
        # The start that raised the doubt counts too.
        self.failures += 2 if self.state is HostState.DOUBTED else 1
        self.reason = reason
        self.last_failed = now
        self._backoff.spawned(now, ok=False)
        self._step(HostEvent.FAILED_AT_THRESHOLD if self.failures >= FAILED_STARTS else HostEvent.FAILED)

    def probe_in(self, now: float) -> float | None:
        """Seconds until a probe should start; None where none is needed."""
        match self.state:
            case HostState.WELL:
                return None
            case HostState.DOUBTED:
                return 0.0
            case _:
                return self._backoff.remaining_seconds(now)

    def _step(self, event: HostEvent) -> None:
        self.state = next_state(TRANSITIONS, self.state, event)
