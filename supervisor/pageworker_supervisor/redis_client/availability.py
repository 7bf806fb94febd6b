"""Does Redis serve us? Callers say when it did not; one task finds out when it does again, and looks now and then.

Two kinds of trouble. Redis is *away* (cut off, loading, a replica, a wrong password): nobody can work, and everybody
waits until a probe is answered. Redis is *partial* (out of memory, a right is missing): some calls are refused, others
work. A caller that is refused repeats its own call. The worker claims no jobs meanwhile, unless only memory is short:
what frees memory must go on.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pageworker_supervisor.redis_client.errors import (
    Denied,
    OutOfMemory,
    RedisClientError,
    RedisUnavailable,
    RightMissing,
    WrongType,
)
from pageworker_supervisor.telemetry import log

T = TypeVar("T")

FIRST_SECONDS = 0.05
CAP_SECONDS = 5.0
CALM_SECONDS = 10.0
"""Up for so long: the next failure starts from the shortest delay again."""
PROBE_SECONDS = 6.0
LOOK_SECONDS = 5.0
"""Between two looks while all is well: nobody tells us that memory is full or a right withdrawn, unless we ask."""
FRESH_SECONDS = 0.25
"""Who wants to know at once is told what a look no older than this has found."""
ASK_SECONDS = 1.0
"""And waits so long for a new one."""
PARTIAL = (OutOfMemory, RightMissing, WrongType)


def longest_delay(failures: int) -> float:
    """Seconds that the next try waits at most. The wait itself is drawn evenly from nought up to this."""
    return min(CAP_SECONDS, FIRST_SECONDS * 2.0 ** min(failures, 16))


class Availability:
    """`up` until somebody calls `down`. `run` asks `probe` with growing, fully jittered delays until it answers.

    Redis can answer a probe and still refuse what callers want: a failure soon after coming up therefore goes on with
    the delays where they were.
    """

    def __init__(self, probe: Callable[[], Awaitable[None]], on_change: Callable[[bool], None] | None = None) -> None:
        self.reason = ""
        self._probe = probe
        self._on_change = on_change or (lambda _: None)
        self._up = asyncio.Event()
        self._wake = asyncio.Event()
        self._up.set()
        self._looked = asyncio.Event()
        self._looked_at = time.monotonic()
        self._failures = 0
        self._since = time.monotonic()
        self._refused: dict[object, RedisClientError] = {}
        self._all_served = asyncio.Event()
        self._all_served.set()

    @property
    def up(self) -> bool:
        """False from the first failure until a probe was answered."""
        return self._up.is_set()

    @property
    def trouble(self) -> str:
        """Why Redis does not serve everything, for people; "" while it does."""
        if not self.up:
            return self.reason
        return next((str(refused) for refused in self._refused.values()), "")

    async def wait_up(self) -> None:
        """Return when Redis answers. Waits for ever unless `run` runs."""
        await self._up.wait()

    async def wait_served(self) -> None:
        """Return when Redis answers and refuses nobody, short memory aside: then more work may be begun."""
        while not self.up or not self._all_served.is_set():
            await self._up.wait()
            await self._all_served.wait()

    def down(self, reason: str) -> None:
        """A call failed for want of Redis."""
        self.reason = reason
        if not self.up:
            return
        now = time.monotonic()
        self._failures = 0 if now - self._since > CALM_SECONDS else self._failures + 1
        self._since = now
        self._up.clear()
        self._wake.set()
        self._on_change(False)
        log.warning("cut off from Redis", reason=reason)

    async def run(self) -> None:
        """Watch for ever."""
        while True:
            if self.up:
                await self._until_woken(LOOK_SECONDS)
            if not self.up:
                await asyncio.sleep(random.uniform(0, longest_delay(self._failures)))
            await self._look()
            self._looked_at = time.monotonic()
            self._looked.set()
            self._looked = asyncio.Event()

    async def look_now(self) -> None:
        """So that `up` and `trouble` are no older than FRESH_SECONDS, unless a look takes longer than ASK_SECONDS."""
        if not self.up or time.monotonic() - self._looked_at < FRESH_SECONDS:
            return
        looked = self._looked
        self._wake.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ASK_SECONDS):
                await looked.wait()

    async def retry_until_available(
        self, call: Callable[[], Awaitable[T]], on_return: Callable[[], None] | None = None
    ) -> T:
        """Make a call that may be made twice until Redis serves it. Raises what does not pass by itself.

        `on_return` is called each time that Redis may serve again.
        """
        who, failures = object(), 0
        try:
            while True:
                try:
                    return await call()
                except (RedisUnavailable, WrongType) as away:
                    await self.wait_out(who, away, failures)
                    failures += 1
                if on_return is not None:
                    on_return()
        finally:
            self.served(who)

    async def wait_out(self, who: object, away: RedisClientError, failures: int) -> None:
        """Until `who`, whose call failed so often before, may try again. It says `served` when it is."""
        if isinstance(away, PARTIAL):
            self._refuse(who, away)
            await asyncio.sleep(random.uniform(0, longest_delay(failures)))
        else:
            self.served(who)
            self.down(str(away))
            await self.wait_up()

    def served(self, who: object) -> None:
        """Redis served `who`, or `who` gave up."""
        if self._refused.pop(who, None) is not None:
            self._count()
            if not self._refused:
                log.info("Redis serves everything again")

    def _refuse(self, who: object, refused: RedisClientError) -> None:
        told = {str(known) for known in self._refused.values()}
        self._refused[who] = refused
        self._count()
        if str(refused) not in told:
            # An operator can fix it without a restart of ours.
            log.error("Redis refuses a call", reason=str(refused))

    def _count(self) -> None:
        if all(isinstance(refused, OutOfMemory) for refused in self._refused.values()):
            self._all_served.set()
        else:
            self._all_served.clear()

    async def _until_woken(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._probe()
        except (OutOfMemory, RightMissing) as partial:
            self._refuse(self, partial)
        except (RedisClientError, TimeoutError) as error:
            if self.up:
                self.down(str(error) or "Redis does not answer in time")
            self._failures += 1
            self._still_down(error)
            return
        else:
            self.served(self)
        if not self.up:
            self._back()

    def _still_down(self, error: RedisClientError | TimeoutError) -> None:
        reason = str(error) or "Redis does not answer in time"
        if isinstance(error, Denied) and reason != self.reason:
            # It does not pass by itself, but an operator can fix it without a restart of ours.
            log.error("Redis refuses us", reason=reason)
        self.reason = reason

    def _back(self) -> None:
        now = time.monotonic()
        log.info("Redis answers", after_seconds=round(now - self._since, 3))
        self._since = now
        self._up.set()
        self._on_change(True)
