"""Errors of runners, by blame."""

from pageworker_supervisor.runners.limit_breach import Breach


class RunnerFailure(Exception):
    """Base."""


class SpawnFailed(RunnerFailure):
    """The runner did not come up, by a fault of the host. Its jobs are deferred, uncharged.

    `defer_seconds`: how long they are deferred. `cause`: the label in the metric of deferred jobs.
    """

    defer_seconds: float = 1.0
    cause: str = "host"


class BrowserNotReady(SpawnFailed):
    """The runner's process started and did not get its browser ready. Only another start tells who is to blame."""


class RunnerLost(RunnerFailure):
    """The runner died or was killed while jobs ran on it."""

    def __init__(self, reason: str, *, charged: bool, breach: Breach | None = None, alone: bool = False) -> None:
        super().__init__(reason)
        self.breach = breach
        """The limit that it exceeded, if that is the reason."""
        self.alone = alone
        """True: only one job ran on it, so that job exceeded the limit."""
        self.reason = reason
        self.charged = charged
        """True: its jobs may be the cause, and their crash counts go up. False: the host or another job is to blame."""
