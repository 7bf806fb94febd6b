"""One peer's share of the thread that serves all untrusted peers."""

import asyncio
import time

from pageworker_sandbox.wire.token_bucket import TokenBucket


class CpuBudget:
    """Measures the time that work for a peer takes. A peer over its share waits; the others do not."""

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
