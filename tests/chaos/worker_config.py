"""What a chaos worker reads: its configuration at the start, later commands on its standard input."""

from msgspec import Struct

from chaos.runner_kinds import RunnerName


class ChaosWorkerConfig(Struct, frozen=True, kw_only=True):
    """One JSON file per worker. `routes`: the port of this worker's own proxy, by data port of Redis."""

    config_file: str
    profiles: str
    """The folder of the profile locks; all workers share it."""
    routes: dict[int, int]
    runners: RunnerName
    lease_ms: int
    promise_ms: int
    silent_seconds: float
    ahead_seconds: float = 0.0


class Skew(Struct, frozen=True, tag=True):
    """The clock is this many seconds ahead from now on."""

    seconds: float


class KillRunner(Struct, frozen=True, tag=True):
    """One runner dies, with every attempt on it."""


class FreezeRunner(Struct, frozen=True, tag=True):
    """One runner answers nothing for this many seconds."""

    seconds: float


class BreakGateway(Struct, frozen=True, tag=True):
    """The egress gateway dies. None can be started for this many seconds."""

    seconds: float


WorkerCommand = Skew | KillRunner | FreezeRunner | BreakGateway
