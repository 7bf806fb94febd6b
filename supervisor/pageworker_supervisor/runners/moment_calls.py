"""The calls to Redis for permits of requests: few per host and worker, whatever pages do.

Requests of all runners that wait for the same host share a call, and there is one call at a time per host. If a host is
known to be full until some moment, a request that may not wait so long needs no call.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from math import inf
from typing import Protocol

from pageworker_supervisor.queue.request_rates import RequestRate, ReservedMoments
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.redis_client.errors import RedisClientError
from pageworker_supervisor.telemetry import log

CALLS_PER_SECOND = 50
"""For one host, of one worker."""
REQUESTS_PER_CALL = 200
FULL_SECONDS = 1.0
"""How long it is taken as known that a host is full. Redis may lose its data, and then knows of no request."""
KEPT_HOSTS = 64
"""Hosts without calls for FULL_SECONDS are forgotten once there are more. A page may name any number of hosts."""


class Rates(Protocol):
    """Where moments are reserved."""

    async def reserve(self, host: str, rate: RequestRate, longest_seconds: Sequence[float]) -> ReservedMoments:
        """One moment for each request. `longest_seconds`: how long each may wait. Raises RedisClientError."""


@dataclass(eq=False)
class WaitingRequest:
    """A request that a call is to ask for. Times are the loop's."""

    deadline: float
    answered: bool = False
    moment: float | None = None
    """When it may begin; None: not before `deadline`."""


@dataclass(frozen=True)
class FullHost:
    """Until `until`, it is known that a host permits no more requests at this rate before `free_at`."""

    rate: RequestRate
    free_at: float
    until: float

    def refuses(self, rate: RequestRate, deadline: float, now: float) -> bool:
        """Whether a request with this deadline need not be asked for. A host whose rate was changed is asked again."""
        return deadline < self.free_at and now < self.until and rate == self.rate


class HostCalls:
    """The calls for one host. The first request that waits makes the call for all that wait with it."""

    def __init__(self, host: str, rates: Rates, availability: Availability) -> None:
        self._host = host
        self._rates = rates
        self._availability = availability
        self._calling = asyncio.Lock()
        self._waiting: dict[WaitingRequest, None] = {}
        self._called_at = -inf
        self._full: FullHost | None = None

    def idle(self, now: float) -> bool:
        """Whether nothing of it is needed any more."""
        return not self._waiting and now > self._called_at + FULL_SECONDS

    async def reserve(self, rate: RequestRate, deadline: float) -> float | None:
        """When one request may begin; None: not before `deadline`."""
        if self._full is not None and self._full.refuses(rate, deadline, asyncio.get_running_loop().time()):
            return None
        request = WaitingRequest(deadline)
        self._waiting[request] = None
        try:
            # A caller that is cancelled leaves its call to the next one.
            async with self._calling:
                while not request.answered:
                    await self._call(rate)
        finally:
            self._waiting.pop(request, None)
        return request.moment

    async def _call(self, rate: RequestRate) -> None:
        now = asyncio.get_running_loop().time
        await asyncio.sleep(self._called_at + 1 / CALLS_PER_SECOND - now())
        batch = list(islice(self._waiting, REQUESTS_PER_CALL))
        self._called_at = began = now()
        try:
            found = await self._availability.retry_until_available(
                lambda: self._rates.reserve(self._host, rate, [max(0.0, each.deadline - now()) for each in batch])
            )
        except RedisClientError as error:
            log.error("no permits for requests", host=self._host, requests=len(batch), reason=str(error))
            found = ReservedMoments((None,) * len(batch), 0.0)
        ended = now()
        for request, wait in zip(batch, found.waits, strict=True):
            request.answered = True
            request.moment = None if wait is None else ended + wait
            self._waiting.pop(request, None)
        # Counted from its begin: no request is refused that Redis might have permitted.
        self._full = FullHost(rate, began + found.next_seconds, ended + FULL_SECONDS) if None in found.waits else None


class MomentCalls:
    """The calls for all hosts."""

    def __init__(self, rates: Rates, availability: Availability) -> None:
        self._rates = rates
        self._availability = availability
        self._hosts: dict[str, HostCalls] = {}
        self._forget_above = KEPT_HOSTS

    async def reserve(self, host: str, rate: RequestRate, deadline: float) -> float | None:
        """When one request to this host may begin; None: not before `deadline`. Times are the loop's.

        While Redis does not answer, the request waits: only Redis knows what other workers send.
        """
        calls = self._hosts.get(host)
        if calls is None:
            self._forget()
            calls = self._hosts[host] = HostCalls(host, self._rates, self._availability)
        return await calls.reserve(rate, deadline)

    def _forget(self) -> None:
        if len(self._hosts) < self._forget_above:
            return
        now = asyncio.get_running_loop().time()
        self._hosts = {host: calls for host, calls in self._hosts.items() if not calls.idle(now)}
        self._forget_above = max(KEPT_HOSTS, 2 * len(self._hosts))
