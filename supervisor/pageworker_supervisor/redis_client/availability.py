"""Whether Redis serves this worker, and the one retry loop around calls to it.

Callers report failures; one task probes Redis until it serves again. There are two kinds of trouble:
- *Cut off*: the connection is lost, or Redis is loading, is a replica, or rejects the password. Every call fails, so
  every caller waits until a probe succeeds.
- *Partial*: Redis is out of memory, or the user lacks one permission. Some calls are refused, others work. Each refused
  caller repeats its own call. The worker claims no jobs meanwhile. A lack of memory alone does not stop claims: jobs
  that end free memory.

What is repeated
----------------
redis-py is told to repeat nothing (clients.py): it cannot know which commands may run twice. Every failed call
therefore ends as one of our errors (errors.py). There are three rules, and each error falls under one of them.

1. *Repeated at once*, one time (`once_more`). The caller lists the errors for which it wants this, each with a repair
   that runs before the second try.
   - `ConnectionLost`: the connection broke, so the command may have run. Only for commands that may run twice. Most
     often the server has only closed an idle connection, and the second try on a new connection is served.
   - `FunctionMissing`, `GroupMissing`: a new or emptied primary. The repair loads the functions or creates the group.
   A second failure is raised: then it is an outage, and the next rule applies.
2. *Waited out* (`Availability.retry_until_available`), without a limit: every `RedisUnavailable`, and `WrongType`. They
   pass, or an operator can mend them while the worker runs. If Redis is cut off, one task probes it and all callers
   wait for that. If Redis refuses some calls only, each caller waits for a growing, jittered delay.
3. *Raised*: every other `RedisRefused`. It is a bug, and repeating does not mend it.

Rule 1 surrounds one command, rule 2 a whole operation of several commands. Operations of the queue carry an id, a
fencing token or a nonce, so that each may be repeated as a whole. The command line uses rule 1 only: an operator
wants to see the error.

*Replicas.* A write that must survive a failover is sent together with WAIT (`ReplicatedWrites`). If too few replicas
confirm it in time, `NotReplicated` is raised: rule 2 repeats the whole write.

*Redis Cluster.* MOVED and ASK are followed within one try (`Router`) and never arrive here. TRYAGAIN, CLUSTERDOWN and
an uncovered slot are `RedisUnavailable`: rule 2.

*Blocking reads* (BLMPOP, BLMOVE, XREADGROUP) take what they return. After a lost reply a repeated read would take the
next element and leave the first one behind, so rule 1 does not apply to them. Rule 2 tells the caller before each
further try (`before_retry`), so that it first looks for what it may have taken: intake reads its own pending texts, the
dispatcher claims once without a wake-up.

redis-py's own `Retry` is not used for the loop: it knows its own error classes only, calls its failure handler once
more after the last try, and sleeps by a schedule, while rule 2 ends its waiting with an event.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from pageworker_supervisor.redis_client.errors import (
    ConditionLost,
    Denied,
    OutOfMemory,
    RedisClientError,
    RedisUnavailable,
    RightMissing,
    WrongType,
)
from pageworker_supervisor.telemetry import log

T = TypeVar("T")

BeforeRetry = Callable[[RedisClientError, int], Awaitable[None]]
"""Called with the error and the number of failures before it. Returns when to try again, or raises the error."""
Repair = Callable[[], Awaitable[None]]


async def retry(call: Callable[[], Awaitable[T]], before_retry: BeforeRetry) -> T:
    """Call until it succeeds, or until `before_retry` raises."""
    failures = 0
    while True:
        try:
            return await call()
        except RedisClientError as error:
            await before_retry(error, failures)
        failures += 1


def once_more(repairs: Mapping[type[RedisClientError], Repair]) -> BeforeRetry:
    """Rule 1: after an error of one of these classes, run its repair and try one more time."""

    async def before_retry(error: RedisClientError, failures: int) -> None:
        repair = repairs.get(type(error))
        if failures or repair is None:
            raise error
        await repair()

    return before_retry


async def no_repair() -> None:
    """For errors after which only the next try differs: a lost connection is replaced by it."""


FIRST_DELAY_SECONDS = 0.05
LONGEST_DELAY_SECONDS = 5.0
STABLE_SECONDS = 10.0
"""After Redis has served for this time, the next failure starts with the shortest delay again."""
PROBE_SECONDS = 6.0
PROBE_INTERVAL_SECONDS = 6.0
"""Between two probes while all is well: only a probe tells that memory is full or a permission was withdrawn."""
FRESH_SECONDS = 0.25
"""`probe_now` accepts the result of a probe no older than this."""
ANSWER_SECONDS = 1.0
"""The longest wait of `probe_now` for a new result."""
WAITED_OUT = (RedisUnavailable, WrongType)
"""These pass, or an operator can mend them while the worker runs."""
PARTIAL = (OutOfMemory, RightMissing, WrongType)


def longest_delay(failures: int) -> float:
    """Upper bound in seconds of the delay before the next try. The delay is drawn evenly between 0 and this bound."""
    return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(failures, 16))


class Availability:
    """`up` until a caller reports `down`. `run` then probes Redis, with growing and jittered delays, until it answers.

    Redis can answer a probe and still refuse the real calls. Therefore a failure soon after coming up continues with
    the delays of the failure before it.
    """

    def __init__(self, probe: Callable[[], Awaitable[None]], on_change: Callable[[bool], None] | None = None) -> None:
        self.reason = ""
        self._probe = probe
        self._on_change = on_change or (lambda _: None)
        self._up = asyncio.Event()
        self._wake = asyncio.Event()
        self._up.set()
        self._probed = asyncio.Event()
        self._probed_at = time.monotonic()
        self._failures = 0
        self._changed_at = time.monotonic()
        self._refusals: dict[object, RedisClientError] = {}
        """Callers that Redis refuses now, and lost conditions, each with the reason."""
        self._claims_allowed = asyncio.Event()
        self._claims_allowed.set()

    @property
    def up(self) -> bool:
        """False from the first reported failure until a probe succeeds."""
        return self._up.is_set()

    @property
    def trouble(self) -> str:
        """Why Redis does not serve everything, for operators; "" while it does."""
        if not self.up:
            return self.reason
        return next((str(each) for each in self._refusals.values() if not isinstance(each, ConditionLost)), "")

    @property
    def lost_condition(self) -> str:
        """The failed self-check that withholds jobs; "" if none does."""
        return next((str(each) for each in self._refusals.values() if isinstance(each, ConditionLost)), "")

    async def wait_up(self) -> None:
        """Return when Redis answers. Never returns unless `run` runs."""
        await self._up.wait()

    async def wait_served(self) -> None:
        """Return when Redis answers and refuses no call, apart from a lack of memory: then jobs may be claimed."""
        while not self.up or not self._claims_allowed.is_set():
            await self._up.wait()
            await self._claims_allowed.wait()

    def down(self, reason: str) -> None:
        """Report that a call failed because Redis was not available."""
        self.reason = reason
        if not self.up:
            return
        now = time.monotonic()
        self._failures = 0 if now - self._changed_at > STABLE_SECONDS else self._failures + 1
        self._changed_at = now
        self._up.clear()
        self._wake.set()
        self._on_change(False)
        log.warning("cut off from Redis", reason=reason)

    async def run(self) -> None:
        """Probe until cancelled."""
        while True:
            if self.up:
                await self._sleep_until_woken(PROBE_INTERVAL_SECONDS)
            if not self.up:
                await asyncio.sleep(random.uniform(0, longest_delay(self._failures)))
            await self._probe_once()
            self._probed_at = time.monotonic()
            self._probed.set()
            self._probed = asyncio.Event()

    async def probe_now(self) -> None:
        """Make `up` and `trouble` no older than FRESH_SECONDS, unless the probe takes longer than ANSWER_SECONDS."""
        if not self.up or time.monotonic() - self._probed_at < FRESH_SECONDS:
            return
        probed = self._probed
        self._wake.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                await probed.wait()

    async def retry_until_available(
        self, call: Callable[[], Awaitable[T]], before_retry: Callable[[], None] | None = None
    ) -> T:
        """Make a call that may be made twice until Redis serves it. Raises errors that do not pass.

        `before_retry` is called before each further try.
        """
        caller = object()

        async def wait(error: RedisClientError, failures: int) -> None:
            await self._wait_out(caller, error, failures)
            if before_retry is not None:
                before_retry()

        try:
            return await retry(call, wait)
        finally:
            self.release(caller)

    async def _wait_out(self, caller: object, error: RedisClientError, failures: int) -> None:
        if not isinstance(error, WAITED_OUT):
            raise error
        if isinstance(error, PARTIAL):
            self._refuse(caller, error)
            await asyncio.sleep(random.uniform(0, longest_delay(failures)))
        else:
            self.release(caller)
            self.down(str(error))
            await self.wait_up()

    def withhold(self, caller: object, reason: RedisClientError) -> None:
        """Claim no jobs until `release`: Redis refuses `caller`, or a condition that `caller` watches is lost."""
        self._refusals[caller] = reason
        self._update_claims()

    def release(self, caller: object) -> None:
        """Redis no longer refuses `caller`, or `caller` has given up."""
        if self._refusals.pop(caller, None) is not None:
            self._update_claims()
            if not self._refusals:
                log.info("Redis serves everything again")

    def _refuse(self, caller: object, refusal: RedisClientError) -> None:
        logged = {str(known) for known in self._refusals.values()}
        self.withhold(caller, refusal)
        if str(refusal) not in logged:
            # An operator can mend it without a restart of the worker.
            log.error("Redis refuses a call", reason=str(refusal))

    def _update_claims(self) -> None:
        if all(isinstance(refusal, OutOfMemory) for refusal in self._refusals.values()):
            self._claims_allowed.set()
        else:
            self._claims_allowed.clear()

    async def _sleep_until_woken(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    async def _probe_once(self) -> None:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._probe()
        except (OutOfMemory, RightMissing) as partial:
            self._refuse(self, partial)
        except (RedisClientError, TimeoutError) as error:
            reason = str(error) or "Redis does not answer in time"
            if self.up:
                self.down(reason)
            self._failures += 1
            if isinstance(error, Denied) and reason != self.reason:
                # An operator can mend it without a restart of the worker.
                log.error("Redis refuses us", reason=reason)
            self.reason = reason
            return
        else:
            self.release(self)
        if not self.up:
            self._come_back()

    def _come_back(self) -> None:
        now = time.monotonic()
        log.info("Redis answers", after_seconds=round(now - self._changed_at, 3))
        self._changed_at = now
        self._up.set()
        self._on_change(True)
