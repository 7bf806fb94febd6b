"""How long intake waits for what. Seconds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class IntakeTimeouts:
    """Idle cost follows from these: about nine tenths of a command a second. Tests use shorter ones."""

    block_seconds: float = 6.0
    """A blocked read; below the socket timeout of blocking clients."""
    upkeep_seconds: float = 15.0
    """Between two heartbeats, each with a look at what dead workers left."""
    silent_seconds: float = 45.0
    """Not heard of for so long: dead. Being wrong costs work twice, never a job twice."""
    forget_seconds: float = 3600.0
    """A consumer that has nothing pending and did nothing for so long is removed from the group."""
