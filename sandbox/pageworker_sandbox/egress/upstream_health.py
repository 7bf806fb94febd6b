"""Whether an upstream proxy is used. Pure: what happened in, the new health out.

A failure counts at once if it came before the proxy was told a target. Everything later may be the target's fault: a
hostile runner could name targets that no proxy reaches, and so take a proxy away from other runners. Such a failure is
only a doubt. A doubt starts a probe, which names no target, and the proxy stays in use until the probe fails.

A proxy that is down is left out for a pause, then probed. Each pause is twice as long as the one before, until a
request succeeds.
"""

from dataclasses import dataclass
from enum import Enum, auto

from pageworker_sandbox.egress.messages import UpstreamFault
from pageworker_sandbox.state_machine import TransitionTable, next_state

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 60.0
_MOST_DOUBLINGS = 16


class HealthState(Enum):
    """What is known of an upstream proxy."""

    UP = auto()
    DOUBTED = auto()
    """It is still used, and a probe runs."""
    DOWN = auto()
    """It is left out until its pause is over."""
    PROBING = auto()
    """It is left out, and a probe runs."""


class HealthEvent(Enum):
    """What happened to an upstream proxy."""

    WORKED = auto()
    """It opened a connection for a request."""
    FAILED = auto()
    """It failed before it was told a target."""
    DOUBT = auto()
    """It failed after it was told a target."""
    PAUSE_OVER = auto()
    PROBE_PASSED = auto()
    PROBE_FAILED = auto()


TRANSITIONS: TransitionTable[HealthState, HealthEvent] = {
    (HealthState.UP, HealthEvent.WORKED): HealthState.UP,
    (HealthState.UP, HealthEvent.FAILED): HealthState.DOWN,
    (HealthState.UP, HealthEvent.DOUBT): HealthState.DOUBTED,
    (HealthState.DOUBTED, HealthEvent.WORKED): HealthState.UP,
    (HealthState.DOUBTED, HealthEvent.FAILED): HealthState.DOWN,
    (HealthState.DOUBTED, HealthEvent.DOUBT): HealthState.DOUBTED,
    (HealthState.DOUBTED, HealthEvent.PROBE_PASSED): HealthState.UP,
    (HealthState.DOUBTED, HealthEvent.PROBE_FAILED): HealthState.DOWN,
    # Requests that began before the proxy went down end later.
    (HealthState.DOWN, HealthEvent.WORKED): HealthState.UP,
    (HealthState.DOWN, HealthEvent.FAILED): HealthState.DOWN,
    (HealthState.DOWN, HealthEvent.DOUBT): HealthState.DOWN,
    (HealthState.DOWN, HealthEvent.PAUSE_OVER): HealthState.PROBING,
    (HealthState.PROBING, HealthEvent.WORKED): HealthState.UP,
    (HealthState.PROBING, HealthEvent.FAILED): HealthState.PROBING,
    (HealthState.PROBING, HealthEvent.DOUBT): HealthState.PROBING,
    (HealthState.PROBING, HealthEvent.PROBE_PASSED): HealthState.UP,
    (HealthState.PROBING, HealthEvent.PROBE_FAILED): HealthState.DOWN,
}
START = HealthState.UP


@dataclass(frozen=True)
class UpstreamHealth:
    """The health of one upstream proxy."""

    state: HealthState = START
    failures: int = 0
    """How often it went down since a request succeeded."""
    fault: UpstreamFault | None = None
    """The last fault; None after a request succeeded."""

    @property
    def usable(self) -> bool:
        """Whether requests may use it."""
        return self.state in (HealthState.UP, HealthState.DOUBTED)

    @property
    def probed(self) -> bool:
        """Whether a probe has to run."""
        return self.state in (HealthState.DOUBTED, HealthState.PROBING)

    @property
    def pause_seconds(self) -> float:
        """How long a pause that begins now lasts."""
        return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(max(0, self.failures - 1), _MOST_DOUBLINGS))

    def after(self, event: HealthEvent, fault: UpstreamFault | None = None) -> "UpstreamHealth":
        """The health after an event. `fault`: why it failed. Raises IllegalTransition."""
        state = next_state(TRANSITIONS, self.state, event)
        if event is HealthEvent.WORKED:
            return UpstreamHealth(state)
        went_down = state is HealthState.DOWN and self.state is not HealthState.DOWN
        return UpstreamHealth(state, self.failures + went_down, fault or self.fault)
