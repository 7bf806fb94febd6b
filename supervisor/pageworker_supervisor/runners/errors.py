"""What can go wrong with a runner, by blame."""

from pageworker_supervisor.runners.limit_breach import Breach


class RunnerFailure(Exception):
    """Base."""


class SpawnFailed(RunnerFailure):
    """The runner did not come up: the host's fault. Its jobs go back uncharged."""


class BrowserNotReady(SpawnFailed):
    """The runner's process began and did not get its browser ready. Whose fault that is, only another start tells."""


class RunnerLost(RunnerFailure):
    """The runner died or was killed while jobs ran on it."""

    def __init__(self, reason: str, *, charged: bool, breach: Breach | None = None, alone: bool = False) -> None:
        super().__init__(reason)
        self.breach = breach
        """The limit that it went past, where that is why."""
        self.alone = alone
        """True: one job only was at work on it, so the breach is that job's."""
        self.reason = reason
        self.charged = charged
        """True: its jobs are suspects and their crash count goes up. False: the host or a neighbour is to blame."""
