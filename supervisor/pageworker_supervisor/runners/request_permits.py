"""Permits for requests to hosts with a limit: which hosts these are, and when the next request may begin.

With a rate, Redis has one moment per request for all workers together (queue/request_rates.py). A runner asks for each
request, and gets its answer at that moment. Requests that wait share calls to Redis (moment_calls.py). With a limit on
open requests, the gateway asks, and tells when each one has ended (open_requests.py).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import NoReturn
from weakref import WeakValueDictionary

from pageworker_sandbox.hostname import HostInvalid, normalise_host, normalise_host_glob
from pageworker_sandbox.task_group import TaskGroup
from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.config.limit_settings import DomainSettings
from pageworker_supervisor.config.tenant_lookup import domain_for
from pageworker_supervisor.queue.request_counts import LocalRequestCounts
from pageworker_supervisor.queue.request_rates import RequestRate
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.runners.moment_calls import MomentCalls, Rates
from pageworker_supervisor.runners.open_requests import Counts, OpenRequests

AHEAD_SECONDS = 0.1
"""A runner reserves the moments of about this time in advance, and one more. No moment passes while its next request is
on the way to Redis, and runners that share a host take turns."""

PAID_SECONDS = 10.0
"""How long a permit of a request is good for the gateway. Chromium opens at most 6 connections to a host, and a request
waits for one of them."""


def rate_of(domains: Mapping[str, DomainSettings], host: str) -> RequestRate | None:
    """The rate of a host in canonical form. None: it has none. Pure."""
    found = domain_for(domains, host)
    return None if found.requests_per_second is None else RequestRate(found.requests_per_second, found.request_burst)


def has_rate(domain: DomainSettings) -> bool:
    """Whether its requests need permits to begin. Pure."""
    return domain.requests_per_second is not None


def has_limit(domain: DomainSettings) -> bool:
    """Whether its requests need permits, to begin or to be open. Pure."""
    return has_rate(domain) or domain.request_concurrency is not None


def limited_hosts(
    domains: Mapping[str, DomainSettings],
    permits_host: Callable[[str], bool],
    wanted_of: Callable[[DomainSettings], bool] = has_rate,
) -> tuple[str, ...]:
    """The hosts and globs with a rate, in canonical form, without hosts that a runner may not reach. Pure.

    `wanted_of`: those with other limits."""
    globs = (normalise_host_glob(key) for key, each in domains.items() if wanted_of(each))
    wanted = sorted(glob for glob in globs if set(glob) & {"*", "?"} or permits_host(glob.strip("[]")))
    # Too many for a message: the runner asks for every host, and gets an answer at once where there is no rate.
    return tuple(wanted) if len(wanted) <= m.MAX_LIMITED_HOSTS else ("*",)


def moments_ahead(rate: RequestRate) -> int:
    """How many moments a runner may have reserved for one host. A burst needs no more: its moments are there at once.

    Pure."""
    return 1 + ceil(rate.per_second * AHEAD_SECONDS)


class RequestPermits:
    """What all runners of a worker share."""

    def __init__(
        self,
        domains: Callable[[], Mapping[str, DomainSettings]],
        rates: Rates,
        availability: Availability,
        longest_seconds: Callable[[], float],
        counts: Counts | None = None,
        worker_id: str = "",
    ) -> None:
        """`domains`: those that count now. `longest_seconds`: how long a request may wait.

        `counts`: of open requests, where this worker's are kept under `worker_id`; None: of this process alone.
        """
        self._domains = domains
        self._calls = MomentCalls(rates, availability)
        self.longest_seconds = longest_seconds
        self.open = OpenRequests(worker_id, counts or LocalRequestCounts(), availability, self.concurrency_of)

    async def run(self) -> NoReturn:
        """Count open requests until cancelled. Without it, none to a host with a limit on them begins."""
        await self.open.run()

    def limited_hosts(self, permits_host: Callable[[str], bool]) -> tuple[str, ...]:
        """The hosts and globs that a runner needs permits for, if it may reach them."""
        return limited_hosts(self._domains(), permits_host)

    def hosts_at_gateway(self, permits_host: Callable[[str], bool]) -> tuple[str, ...]:
        """The same for the gateway, which also asks before a request is open."""
        return limited_hosts(self._domains(), permits_host, has_limit)

    def concurrency_of(self, host: str) -> int | None:
        """How many requests to a host may be open now."""
        return domain_for(self._domains(), host).request_concurrency

    def rate_of(self, host: str) -> RequestRate | None:
        """The rate of a host now."""
        return rate_of(self._domains(), host)

    async def reserve(self, host: str, rate: RequestRate, deadline: float) -> float | None:
        """When a request may begin, as the loop's time; None: not before `deadline`."""
        return await self._calls.reserve(host, rate, deadline)


class PaidRequests:
    """Permits that a runner got, and whose request the gateway has not seen yet. Pure: times are passed in."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, bool], deque[float]] = {}
        """By host, and whether its request goes through a tunnel for TLS."""

    def add(self, host: str, tls: bool, now: float) -> None:
        """The runner got one."""
        until = self._until.setdefault((host, tls), deque(maxlen=m.MAX_WAITING_PERMITS))
        until.append(now + PAID_SECONDS)

    def take(self, host: str, tls: bool, now: float) -> bool:
        """The gateway sees a request. False: no permit of the last PAID_SECONDS is left for it."""
        until = self._until.get((host, tls))
        while until and until[0] < now:
            until.popleft()
        if not until:
            self._until.pop((host, tls), None)
            return False
        until.popleft()
        return True


PermitAnswerer = Callable[[bool, bool], Awaitable[None]]
"""Gets whether a request is refused, and whether its end is awaited (`RunnerPermits.ended`)."""


@dataclass(frozen=True)
class HeldRequest:
    """A request that waits for its permit, in the runner or in the gateway."""

    host: str
    answer: PermitAnswerer
    deadline: float
    """The loop's time."""
    at_gateway: int | None = None
    """Its number there; None: the runner holds it."""
    tls: bool = False
    """It goes through a tunnel for TLS, or is such a tunnel."""


class RunnerPermits:
    """The permits that one runner asks for, and the gateway for it. `run` must run, or nothing is answered.

    The runner holds requests, because each one can be seen there. The gateway holds what it sees: plain requests and
    tunnels. A permit that the runner got pays for one of these. So only what the runner did not hold takes another one:
    a WebSocket, or a request of a module that does not use its page.

    Only the gateway sees the end of a request. So it is the one that asks for a host with a limit on open requests, and
    a plain request to it gets its moment there, too: first it may be open, then it begins.
    """

    def __init__(
        self,
        permits: RequestPermits,
        permits_host: Callable[[str], bool],
        on_refused: Callable[[str], None],
    ) -> None:
        """`permits_host`: whether the runner may reach a host. It gets no moments of others, which it could only waste.

        `on_refused` gets the host of a request that would wait too long, if the runner held it: the gateway reports its
        refusals itself.
        """
        self._permits = permits
        self._permits_host = permits_host
        self._on_refused = on_refused
        self._held: asyncio.Queue[HeldRequest] = asyncio.Queue()
        self._paid = PaidRequests()
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        """Of the hosts for which requests wait."""
        self._open: dict[int, str] = {}
        """The hosts of the requests that are counted as open, by the gateway's number."""

    def hold(self, host: str, answer: PermitAnswerer, *, tls: bool, at_gateway: int | None = None) -> None:
        """A request waits. `answer` is called once, when it may begin or is refused."""
        deadline = asyncio.get_running_loop().time() + self._permits.longest_seconds()
        self._held.put_nowait(HeldRequest(host, answer, deadline, at_gateway, tls))

    async def run(self) -> NoReturn:
        """Answer until cancelled."""
        async with TaskGroup() as tasks:
            while True:
                tasks.create_task(self._serve(await self._held.get()))
        raise AssertionError("unreachable")

    def ended(self, number: int) -> None:
        """A request that the gateway was to report has ended."""
        if (host := self._open.pop(number, None)) is not None:
            self._permits.open.end(host)

    def close(self) -> None:
        """The runner's connections are closed: none of its requests is open any more."""
        for number in list(self._open):
            self.ended(number)

    async def _serve(self, held: HeldRequest) -> None:
        host = self._host(held.host)
        refused = host is not None and not await self._permitted(host, held)
        await held.answer(refused, held.at_gateway in self._open)

    async def _permitted(self, host: str, held: HeldRequest) -> bool:
        """Return when a request may begin. False: it is refused."""
        number = held.at_gateway
        if self._permits.concurrency_of(host) is not None:
            if number is None and not held.tls:
                return True  # it waits at the gateway
            if number is not None:
                if not await self._permits.open.begin(host, self, held.deadline):
                    return False
                self.ended(number)  # a gateway that was taken over may use a number twice
                self._open[number] = host
        if await self._moment_comes(host, held):
            return True
        if number is not None:
            self.ended(number)
        return False

    async def _moment_comes(self, host: str, held: HeldRequest) -> bool:
        rate, now = self._permits.rate_of(host), asyncio.get_running_loop().time
        if rate is None or (held.at_gateway is not None and self._paid.take(host, held.tls, now())):
            return True
        refused = not await self._wait(host, rate, held.deadline)
        if held.at_gateway is None:
            self._settle(host, held, refused, now())
        return not refused

    def _settle(self, host: str, held: HeldRequest, refused: bool, now: float) -> None:
        if refused:
            self._on_refused(host)
        else:
            self._paid.add(host, held.tls, now)

    def _host(self, untrusted_host: str) -> str | None:
        """None: the gateway refuses the request."""
        try:
            host = normalise_host(untrusted_host)
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
