"""Counts, budgets and paces of one cell. Pure: the clock is handed in, in seconds."""

from collections import Counter

from pageworker_sandbox.egress.messages import Reason, Usage


class Bucket:
    """A token bucket: `rate` tokens a second, at most `burst` saved up."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float) -> bool:
        """Take a token if there is one."""
        self._fill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def spend(self, tokens: float, now: float) -> None:
        """Tokens were used, there or not."""
        self._fill(now)
        self._tokens -= tokens

    def debt(self, now: float) -> float:
        """Seconds until nothing is owed."""
        self._fill(now)
        return max(0.0, -self._tokens / self._rate)

    def _fill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now


class Meter:
    """What a cell has used, and whether it may use more."""

    def __init__(self, budget_bytes: int | None = None) -> None:
        self.budget_bytes = budget_bytes
        self.up_bytes = 0
        self.down_bytes = 0
        self.requests = 0
        self.refused: Counter[Reason] = Counter()

    @property
    def exhausted(self) -> bool:
        """Whether the byte budget is used up."""
        return self.budget_bytes is not None and self.up_bytes + self.down_bytes >= self.budget_bytes

    def sends(self, count: int) -> bool:
        """`count` bytes are to go to an origin. False: they are past the budget, don't."""
        if self.exhausted:
            return False
        self.up_bytes += count
        return True

    def receives(self, count: int) -> bool:
        """`count` bytes came from an origin. False: past the budget, drop them and the connection."""
        if self.exhausted:
            return False
        self.down_bytes += count
        return True

    def usage(self, connections: int) -> Usage:
        """The counts, as the supervisor gets them."""
        return Usage(
            up_bytes=self.up_bytes,
            down_bytes=self.down_bytes,
            requests=self.requests,
            connections=connections,
            refused=dict(self.refused),
        )
