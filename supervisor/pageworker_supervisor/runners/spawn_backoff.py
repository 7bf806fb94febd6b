"""How long to wait after runners that did not come up. Pure: times are passed in."""

BASE_SECONDS = 0.5
CAP_SECONDS = 30.0


class SpawnBackoff:
    """Doubles with each failed start in a row, up to a cap. A start that succeeds resets it."""

    def __init__(self) -> None:
        self.failures = 0
        self._until = 0.0

    def spawned(self, now: float, *, ok: bool) -> None:
        """A runner came up, or did not."""
        self.failures = 0 if ok else self.failures + 1
        self._until = 0.0 if ok else now + min(CAP_SECONDS, BASE_SECONDS * 2 ** min(self.failures - 1, 10))

    def closed(self, now: float) -> bool:
        """True while no new runner should be started."""
        return now < self._until

    def remaining_seconds(self, now: float) -> float:
        """How long no new runner should be started."""
        return max(0.0, self._until - now)
