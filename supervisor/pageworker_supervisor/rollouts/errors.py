"""Why a rollout cannot be changed. The operator has to mend it."""


class RolloutRefused(Exception):
    """The change is not allowed, and nothing has changed. `mend` says what to do instead."""

    retryable = False

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.mend = mend
