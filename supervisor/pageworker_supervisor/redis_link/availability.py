"""Is Redis there? Callers say when it was not; one task finds out when it is again."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pageworker_supervisor.redis_link.errors import Denied, EngineError, Unavailable
from pageworker_supervisor.telemetry import log

T = TypeVar("T")

FIRST_SECONDS = 0.05
CAP_SECONDS = 5.0
CALM_SECONDS = 10.0
"""Up for so long: the next failure starts from the shortest delay again."""
PROBE_SECONDS = 6.0


def longest_delay(failures: int) -> float:
    """Seconds that the next try waits at most. The wait itself is drawn evenly from nought up to this."""
    return min(CAP_SECONDS, FIRST_SECONDS * 2.0 ** min(failures, 16))


class Availability:
    """`up` until somebody calls `down`. `run` asks `probe` with growing, fully jittered delays until it answers.

    Redis can answer a probe and still refuse what callers want (a replica, no replicas, out of memory): a failure
    soon after coming up therefore goes on with the delays where they were.
    """

    def __init__(self, probe: Callable[[], Awaitable[None]], on_change: Callable[[bool], None] | None = None) -> None:
        self.reason = ""
        self._probe = probe
        self._on_change = on_change or (lambda _: None)
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._up.set()
        self._failures = 0
        self._since = time.monotonic()

    @property
    def up(self) -> bool:
        """False from the first failure until a probe was answered."""
        return self._up.is_set()

    async def wait_up(self) -> None:
        """Return when Redis answers. Waits for ever unless `run` runs."""
        await self._up.wait()

    def down(self, reason: str) -> None:
        """A call failed for want of Redis."""
        self.reason = reason
        if not self.up:
            return
        now = time.monotonic()
        self._failures = 0 if now - self._since > CALM_SECONDS else self._failures + 1
        self._since = now
        self._up.clear()
        self._down.set()
        self._on_change(False)
        log.warning("cut off from Redis", reason=reason)

    async def run(self) -> None:
        """Watch for ever."""
        while True:
            await self._down.wait()
            await asyncio.sleep(random.uniform(0, longest_delay(self._failures)))
            try:
                async with asyncio.timeout(PROBE_SECONDS):
                    await self._probe()
            except (EngineError, TimeoutError) as error:
                self._failures += 1
                self._still_down(error)
            else:
                self._back()

    async def insist(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call that may be made twice until Redis serves it. Raises what does not pass by itself."""
        while True:
            try:
                return await call()
            except Unavailable as away:
                self.down(str(away))
                await self.wait_up()

    def _still_down(self, error: EngineError | TimeoutError) -> None:
        reason = str(error) or "no answer in time"
        if isinstance(error, Denied) and reason != self.reason:
            # It does not pass by itself, but an operator can mend it without a restart of ours.
            log.error("Redis refuses us", reason=reason)
        self.reason = reason

    def _back(self) -> None:
        now = time.monotonic()
        log.info("Redis answers", after_seconds=round(now - self._since, 3))
        self._since = now
        self._down.clear()
        self._up.set()
        self._on_change(True)
