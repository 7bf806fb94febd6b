"""What untrusted peers share: tokens, and the time of the one thread that serves them all."""

import asyncio
import time


class TokenBucket:
    """A token bucket: `rate` tokens a second, at most `burst` saved up. Pure: the clock is handed in, in seconds."""

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


class CpuBudget:
    """A peer's share of the thread: who makes much work waits, the others don't."""

    def __init__(self, share: float, burst_seconds: float, pause_seconds: float) -> None:
        """`share` of one core, of which `burst_seconds` are saved up. `pause_seconds`: the shortest wait, as waking
        costs too."""
        self._bucket = TokenBucket(share, burst_seconds, time.perf_counter())
        self._pause = pause_seconds

    async def turn(self) -> None:
        """Wait until the peer owes no time."""
        # Looked at again after each wait: of those that waked together, the first may have spent it all.
        while (seconds := self._bucket.debt(time.perf_counter())) > 0:  # noqa: ASYNC110 - time pays the debt, no event
            await asyncio.sleep(max(seconds, self._pause))

    def spend(self, since: float) -> None:
        """The time from `since` (perf_counter) to now was this peer's."""
        now = time.perf_counter()
        self._bucket.spend(now - since, now)
