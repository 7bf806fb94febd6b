"""Token buckets: how much of something a peer may use per second, and the CPU time of an untrusted peer as one."""

import asyncio
import time


class TokenBucket:
    """`rate` tokens per second arrive, and at most `burst` are kept.

    The caller passes the time in, in seconds of any monotonic clock.
    """

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
        """Seconds until the debt is paid. 0 if there is none."""
        self._fill(now)
        return max(0.0, -self._tokens / self._rate)

    def _fill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now


class CpuBudget:
    """One peer's share of the thread that serves all untrusted peers.

    It measures the time that work for the peer takes. A peer over its share waits; the others do not.
    """

    def __init__(self, share: float, burst_seconds: float, pause_seconds: float) -> None:
        """`share` is a fraction of one core. Up to `burst_seconds` of unused time are kept.

        `pause_seconds` is the shortest wait, because each wake-up costs time too.
        """
        self._bucket = TokenBucket(share, burst_seconds, time.perf_counter())
        self._pause = pause_seconds

    async def turn(self) -> None:
        """Wait until the peer is within its share."""
        # Several waiters wake together, and the first may use the whole budget. So each one checks again.
        while (seconds := self._bucket.debt(time.perf_counter())) > 0:  # noqa: ASYNC110 - time pays the debt, no event
            await asyncio.sleep(max(seconds, self._pause))

    def spend(self, since: float) -> None:
        """Charge the peer for the time from `since` (a value of perf_counter) to now."""
        now = time.perf_counter()
        self._bucket.spend(now - since, now)
