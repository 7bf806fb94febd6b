"""Whether an attempt's handler may begin: not once the attempt is stopped, and not after the job's `expires_at`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from pageworker_sandbox.wire.messages import Outcome as ReportedOutcome
from pageworker_supervisor.queue.claim import boot_seconds

OutcomeName = Literal["succeeded", "failed", "blocked", "timed_out", "cancelled"]
"""How an attempt ends."""
UnbegunStatus = Literal["cancelled", "expired"]
"""How a job ends whose handler did not begin."""


class NotBegun(Exception):
    """The handler must not begin. `status`: how the job ends, unless a drain requeued it."""

    def __init__(self, status: UnbegunStatus) -> None:
        super().__init__(status)
        self.status = status


class ImpossibleOutcome(Exception):
    """The runner reports an end that the attempt cannot have had."""


def begun_outcome(reported: ReportedOutcome, *, begun: bool, may_expire: bool) -> OutcomeName:
    """How an attempt ended whose handler began, or that failed before. Raises NotBegun, ImpossibleOutcome."""
    if reported == "expired":
        if begun or not may_expire:
            raise ImpossibleOutcome("its handler began, or it does not expire")
        raise NotBegun("expired")
    if reported == "cancelled" and not begun:
        raise NotBegun("cancelled")
    return reported


class BeginGuard:
    """The guard of one attempt. `begin_before` is on the clock of `boot_seconds()`; None: the job does not expire."""

    def __init__(self, begin_before: float | None) -> None:
        self._begin_before = begin_before
        self._stopped = False
        self._limit: asyncio.Timeout | None = None

    def stop(self) -> None:
        """The handler must not begin any more. A `waiting` block ends at once."""
        self._stopped = True
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())

    def check(self) -> None:
        """Raises NotBegun if the handler must not begin now."""
        if self._stopped:
            raise NotBegun("cancelled")
        if self._begin_before is not None and boot_seconds() >= self._begin_before:
            raise NotBegun("expired")

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Wait for something before the handler begins. Raises NotBegun as soon as the handler must not begin."""
        self.check()
        until = None
        if self._begin_before is not None:
            until = asyncio.get_running_loop().time() + self._begin_before - boot_seconds()
        try:
            async with asyncio.timeout_at(until) as self._limit:
                yield
        except TimeoutError as error:
            if self._limit is not None and self._limit.expired():
                raise NotBegun("cancelled" if self._stopped else "expired") from error
            raise
        finally:
            self._limit = None
        self.check()
