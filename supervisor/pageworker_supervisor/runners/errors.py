"""What can go wrong with a runner, by blame."""


class RunnerError(Exception):
    """Base."""


class SpawnFailed(RunnerError):
    """The runner did not come up: the host's fault. Its jobs go back uncharged."""


class BrowserNotReady(SpawnFailed):
    """The runner's process began and did not get its browser ready. Whose fault that is, only another start tells."""


class RunnerLost(RunnerError):
    """The runner died or was killed while jobs ran on it."""

    def __init__(self, reason: str, *, charged: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.charged = charged
        """True: its jobs are suspects and their crash count goes up. False: the host or a neighbour is to blame."""
