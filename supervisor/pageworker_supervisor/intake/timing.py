"""Time limits and intervals of intake, in seconds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class IntakeTimeouts:
    """An idle worker sends about 0.7 commands per second with these values. Tests use shorter ones."""

    block_seconds: float = 7.0
    """A blocked read. Below the socket timeout of blocking clients."""
    upkeep_seconds: float = 15.0
    """Between two heartbeats. With each, intake takes over the texts of dead workers."""
    silent_seconds: float = 45.0
    """A worker without a heartbeat for this time counts as dead. If it lives, texts are read twice, but no job runs
    twice."""
    forget_seconds: float = 3600.0
    """After this idle time, a consumer with nothing pending is removed from the group."""
