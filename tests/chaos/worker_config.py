"""What a chaos worker is told: its configuration at the start, words on its standard input later."""

from msgspec import Struct

from chaos.runner_kinds import Runners


class Orders(Struct, frozen=True, kw_only=True):
    """One JSON file a worker. `routes` leads each data port of Redis to this worker's own proxy for it."""

    config: str
    profiles: str
    """One folder for all workers: the locks of profiles."""
    routes: dict[int, int]
    runners: Runners
    lease_ms: int
    promise_ms: int
    silent_seconds: float
    ahead_seconds: float = 0.0


class Skew(Struct, frozen=True, tag=True):
    """The clock is so far ahead from now on."""

    seconds: float


class KillRunner(Struct, frozen=True, tag=True):
    """One runner dies, with all that runs on it."""


class FreezeRunner(Struct, frozen=True, tag=True):
    """One runner answers nothing for so long."""

    seconds: float


class BreakGateway(Struct, frozen=True, tag=True):
    """The egress gateway dies, and none can be started for so long."""

    seconds: float


Word = Skew | KillRunner | FreezeRunner | BreakGateway
