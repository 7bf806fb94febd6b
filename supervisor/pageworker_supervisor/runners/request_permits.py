"""Permits for requests to hosts with a rate: which hosts these are, and when the next request may begin.

Redis has one moment per request for all workers together (queue/request_rates.py). A runner asks for each request, and
gets its answer at that moment.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import NoReturn, Protocol
from weakref import WeakValueDictionary

from pageworker_sandbox.hostname import HostInvalid, normalise_host, normalise_host_glob
from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.config.settings import DomainSettings
from pageworker_supervisor.config.tenant_lookup import domain_for
from pageworker_supervisor.queue.request_rates import RequestRate
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.redis_client.errors import RedisClientError
from pageworker_supervisor.telemetry import log

AHEAD_SECONDS = 0.1
"""A runner reserves the moments of about this time in advance, and one more. No moment passes while its next request is
on the way to Redis, and runners that share a host take turns."""


class Rates(Protocol):
    """Where moments are reserved."""

    async def reserve(self, host: str, rate: RequestRate, longest_seconds: float) -> float | None:
        """Seconds until one request may begin; None: longer than `longest_seconds`."""


def rate_of(domains: Mapping[str, DomainSettings], host: str) -> RequestRate | None:
    """The rate of a host in canonical form. None: it has none. Pure."""
    found = domain_for(domains, host)
    return None if found.requests_per_second is None else RequestRate(found.requests_per_second, found.request_burst)


def limited_hosts(domains: Mapping[str, DomainSettings], permits_host: Callable[[str], bool]) -> tuple[str, ...]:
    """The hosts and globs with a rate, in canonical form, without hosts that a runner may not reach. Pure."""
    globs = (normalise_host_glob(key) for key, each in domains.items() if each.requests_per_second is not None)
    wanted = sorted(glob for glob in globs if set(glob) & {"*", "?"} or permits_host(glob.strip("[]")))
    # Too many for a message: the runner asks for every host, and gets an answer at once where there is no rate.
    return tuple(wanted) if len(wanted) <= m.MAX_LIMITED_HOSTS else ("*",)


def moments_ahead(rate: RequestRate) -> int:
    """How many moments a runner may have reserved for one host. Pure."""
    return max(rate.burst, 1 + ceil(rate.per_second * AHEAD_SECONDS))


@dataclass(frozen=True)
class RequestPermits:
    """What all runners of a worker share."""

    domains: Callable[[], Mapping[str, DomainSettings]]
    """Those that count now."""
    rates: Rates
    availability: Availability
    longest_seconds: Callable[[], float]
    """How long a request may wait."""

    def limited_hosts(self, permits_host: Callable[[str], bool]) -> tuple[str, ...]:
        """The hosts and globs that a runner needs permits for, if it may reach them."""
        return limited_hosts(self.domains(), permits_host)

    def rate_of(self, host: str) -> RequestRate | None:
        """The rate of a host now."""
        return rate_of(self.domains(), host)

    async def reserve(self, host: str, rate: RequestRate, deadline: float) -> float | None:
        """When a request may begin, as the loop's time; None: not before `deadline`.

        While Redis does not answer, the request waits: without Redis nobody knows what other workers send.
        """
        now = asyncio.get_running_loop().time
        try:
            wait = await self.availability.retry_until_available(
                lambda: self.rates.reserve(host, rate, max(0.0, deadline - now()))
            )
        except RedisClientError as error:
            log.error("no permit for a request", host=host, reason=str(error))
            return None
        return None if wait is None else now() + wait


class RunnerPermits:
    """The permits that one runner asks for. `run` must run, or nothing is answered."""

    def __init__(
        self,
        permits: RequestPermits,
        permits_host: Callable[[str], bool],
        answer: Callable[[m.PermitAnswer], Awaitable[None]],
        on_refused: Callable[[str], None],
    ) -> None:
        """`permits_host`: whether the runner may reach a host. It gets no moments of others, which it could only waste.

        `on_refused` gets the host of a request that would wait too long.
        """
        self._permits = permits
        self._permits_host = permits_host
        self._answer = answer
        self._on_refused = on_refused
        self._asked: asyncio.Queue[tuple[m.PermitRequest, float]] = asyncio.Queue()
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        """Of the hosts for which requests wait."""

    def ask(self, request: m.PermitRequest) -> None:
        """The runner holds a request."""
        deadline = asyncio.get_running_loop().time() + self._permits.longest_seconds()
        self._asked.put_nowait((request, deadline))

    async def run(self) -> NoReturn:
        """Answer until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                request, deadline = await self._asked.get()
                tasks.create_task(self._serve(request, deadline))
        raise AssertionError("unreachable")

    async def _serve(self, request: m.PermitRequest, deadline: float) -> None:
        refused = False
        if (host := self._host(request)) is not None and (rate := self._permits.rate_of(host)) is not None:
            refused = not await self._wait(host, rate, deadline)
            if refused:
                self._on_refused(host)
        await self._answer(m.PermitAnswer(number=request.number, refused=refused))

    def _host(self, request: m.PermitRequest) -> str | None:
        """None: the gateway will refuse the request."""
        try:
            host = normalise_host(request.host)
        except HostInvalid:
            return None
        return host if self._permits_host(host.strip("[]")) else None

    async def _wait(self, host: str, rate: RequestRate, deadline: float) -> bool:
        """Return when the request may begin: True. False: it would be after `deadline`."""
        turns = self._turns.get(host)
        if turns is None:
            turns = self._turns[host] = asyncio.Semaphore(moments_ahead(rate))
        try:
            async with asyncio.timeout_at(deadline), turns:
                moment = await self._permits.reserve(host, rate, deadline)
                if moment is None:
                    return False
                await asyncio.sleep(moment - asyncio.get_running_loop().time())
        except TimeoutError:
            return False
        return True
