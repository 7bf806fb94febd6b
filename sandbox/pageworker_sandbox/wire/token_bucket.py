"""A token bucket. Pure: the caller passes the time in."""


class TokenBucket:
    """`rate` tokens per second arrive, and at most `burst` are kept. Times are in seconds of any monotonic clock."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float) -> bool:
        """Take one token. False: there is none."""
        self._fill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def spend(self, tokens: float, now: float) -> None:
        """Take tokens that were used already. The bucket may go into debt."""
        self._fill(now)
        self._tokens -= tokens

    def debt(self, now: float) -> float:
        """Seconds until the debt is paid. 0 where there is none."""
        self._fill(now)
        return max(0.0, -self._tokens / self._rate)

    def _fill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
