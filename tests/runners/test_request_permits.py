"""Which hosts have a rate, and when the requests of several runners to one host are answered."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise

import pytest
from fuzz.virtual_loop import VirtualLoop

from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.config.limit_settings import DomainSettings
from pageworker_supervisor.queue.request_rates import LocalRequestRates, RequestRate, ReservedMoments
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.redis_client.errors import RedisRefused
from pageworker_supervisor.runners.request_permits import (
    PAID_SECONDS,
    PaidRequests,
    RequestPermits,
    RunnerPermits,
    has_limit,
    limited_hosts,
    moments_ahead,
    rate_of,
)

DOMAINS = {
    "shop.test": DomainSettings(requests_per_second=50),
    "slow.test": DomainSettings(requests_per_second=0.5),
    "*.cdn.test": DomainSettings(requests_per_second=100, request_burst=3),
    "free.cdn.test": DomainSettings(),
    "Ümlaut.test": DomainSettings(requests_per_second=5),
    "open.test": DomainSettings(request_concurrency=2),
    "both.test": DomainSettings(request_concurrency=1, requests_per_second=20),
    "*": DomainSettings(concurrency=2),
}


def everywhere(host: str) -> bool:
    return True


async def _probe() -> None:
    """Redis answers."""


class BrokenRates(LocalRequestRates):
    """A bug, or a right that is missing."""

    async def reserve(self, host: str, rate: RequestRate, longest_seconds: Sequence[float]) -> ReservedMoments:
        """Fail."""
        raise RedisRefused("no such function")


def permits(rates: LocalRequestRates | None = None, longest_seconds: float = 30.0) -> RequestPermits:
    return RequestPermits(lambda: DOMAINS, rates or LocalRequestRates(), Availability(_probe), lambda: longest_seconds)


class AnswerLog:
    """What one runner asked for, and when it was answered."""

    def __init__(self, shared: RequestPermits, may_reach: Callable[[str], bool]) -> None:
        self.permits = RunnerPermits(shared, may_reach, lambda host: self.refused.append(host))
        self.answers: dict[int, tuple[float, bool]] = {}
        self.refused: list[str] = []
        self.counted: list[int] = []
        """Those whose end is awaited."""
        self._more = asyncio.Condition()
        self._asked = 0

    def ask(self, host: str, count: int = 1, *, tls: bool = False, at_gateway: bool = False) -> None:
        for _ in range(count):
            self._asked += 1
            number = self._asked if at_gateway else None
            self.permits.hold(host, partial(self._answer, self._asked), tls=tls, at_gateway=number)

    async def answered(self, count: int) -> list[float]:
        """Wait until `count` answers are there. Returns their times, in the order of the requests."""
        async with asyncio.timeout(10), self._more:
            await self._more.wait_for(lambda: len(self.answers) >= count)
        return [at for _, (at, _) in sorted(self.answers.items())]

    async def _answer(self, number: int, refused: bool, counted: bool) -> None:
        self.answers[number] = asyncio.get_running_loop().time(), refused
        if counted:
            self.counted.append(number)
        async with self._more:
            self._more.notify_all()


@asynccontextmanager
async def runner(shared: RequestPermits, may_reach: Callable[[str], bool] = everywhere) -> AsyncIterator[AnswerLog]:
    log = AnswerLog(shared, may_reach)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(log.permits.run())
        yield log
        running.cancel()


@asynccontextmanager
async def counting(longest_seconds: float = 30.0) -> AsyncIterator[RequestPermits]:
    """With open requests, which a task of the worker counts."""
    shared = permits(longest_seconds=longest_seconds)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(shared.run())
        yield shared
        running.cancel()


@pytest.mark.parametrize(
    ("host", "rate"),
    [
        ("shop.test", RequestRate(50, 1)),
        ("a.cdn.test", RequestRate(100, 3)),
        ("free.cdn.test", None),
        ("xn--mlaut-jva.test", RequestRate(5, 1)),
        ("other.test", None),
    ],
)
def test_the_rate_is_that_of_the_longest_matching_key(host: str, rate: RequestRate | None) -> None:
    assert rate_of(DOMAINS, host) == rate


def test_hosts_with_a_rate_are_those_that_may_be_reached_and_all_globs() -> None:
    hosts = ("*.cdn.test", "both.test", "shop.test", "slow.test", "xn--mlaut-jva.test")
    assert limited_hosts(DOMAINS, everywhere) == hosts
    assert limited_hosts(DOMAINS, everywhere, has_limit) == tuple(sorted((*hosts, "open.test")))
    assert limited_hosts(DOMAINS, "shop.test".__eq__) == ("*.cdn.test", "shop.test")
    assert limited_hosts({"*": DomainSettings()}, everywhere) == ()


def test_too_many_hosts_for_a_message_are_every_host() -> None:
    many = {f"h{n}.test": DomainSettings(requests_per_second=1) for n in range(m.MAX_LIMITED_HOSTS + 1)}
    assert limited_hosts(many, everywhere) == ("*",)
    assert len(limited_hosts(dict(list(many.items())[1:]), everywhere)) == m.MAX_LIMITED_HOSTS


@pytest.mark.parametrize(("rate", "moments"), [((5, 1), 2), ((0.1, 1), 2), ((100, 1), 11), ((5, 60), 2)])
def test_a_runner_reserves_few_moments_in_advance(rate: tuple[float, int], moments: int) -> None:
    assert moments_ahead(RequestRate(*rate)) == moments


async def test_requests_begin_at_the_rate_of_their_host() -> None:
    async with runner(permits()) as log:
        began = asyncio.get_running_loop().time()
        log.ask("SHOP.test.", 11)
        times = await log.answered(11)
    assert times == sorted(times)
    assert times[-1] - began >= 0.199
    assert log.refused == []


async def test_hosts_do_not_wait_for_each_other() -> None:
    """A flood for one host delays neither another host with a rate nor one without."""
    async with runner(permits()) as log:
        log.ask("slow.test", 500)
        log.ask("shop.test")
        log.ask("other.test")
        await log.answered(3)
        assert set(log.answers) == {1, 501, 502}


async def test_runners_that_share_a_host_take_turns() -> None:
    shared = permits()
    async with runner(shared) as flood, runner(shared) as other:
        flood.ask("shop.test", 100)
        await flood.answered(3)
        other.ask("shop.test")
        await other.answered(1)
        assert len(flood.answers) <= 12, "not after all that the other one had asked for before"


def test_workers_that_share_a_host_use_up_its_rate() -> None:
    """Shared calls and the wait between them leave no moment unused. In virtual time: a busy host would."""
    loop = VirtualLoop()

    async def two_workers() -> list[float]:
        rates = LocalRequestRates(loop.time)
        async with runner(permits(rates)) as one, runner(permits(rates)) as other:
            for log in (one, other):
                log.ask("shop.test", 200)
            return sorted(await one.answered(200) + await other.answered(200))

    times = loop.run_to_end(two_workers())
    loop.close()
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) == pytest.approx(1 / 50)
    assert max(gaps) == pytest.approx(1 / 50)


async def test_a_request_that_would_wait_too_long_is_refused() -> None:
    async with runner(permits(longest_seconds=1.0)) as log:
        log.ask("slow.test", 3)
        times = await log.answered(3)
        assert [refused for _, (_, refused) in sorted(log.answers.items())] == [False, True, True]
        assert log.refused == ["slow.test"] * 2
        assert times[-1] - times[0] < 1.5
        log.ask("slow.test", at_gateway=True)
        log.ask("slow.test", at_gateway=True)
        await log.answered(5)
        assert len(log.refused) == 2, "the gateway reports its own"


async def test_a_host_that_the_runner_may_not_reach_has_no_moment_reserved() -> None:
    """It could use up the permits of other tenants."""
    shared = permits()
    async with runner(shared, "other.test".__eq__) as stranger, runner(shared) as log:
        stranger.ask("slow.test", 5)
        stranger.ask("not a host")
        await stranger.answered(6)
        log.ask("slow.test")
        (at,) = await log.answered(1)
        assert not any(refused for _, refused in stranger.answers.values()), "the gateway refuses them"
        assert at < asyncio.get_running_loop().time() + 1


async def test_what_the_gateway_sees_is_paid_once() -> None:
    """The permit that the runner got is for the same request. What went around the runner takes one of its own."""
    async with runner(permits()) as log:
        log.ask("slow.test")
        await log.answered(1)
        log.ask("slow.test", at_gateway=True)
        await log.answered(2)
        log.ask("slow.test", at_gateway=True)
        log.ask("other.test", at_gateway=True)
        await log.answered(3)
        assert set(log.answers) == {1, 2, 4}, "the second request at the gateway waits for its moment"
        (_, first), (_, second) = (log.answers[number] for number in (1, 2))
        assert (first, second) == (False, False)


def test_a_permit_pays_for_one_request_of_its_kind_for_a_while() -> None:
    paid = PaidRequests()
    for host in ("a.test", "a.test", "b.test"):
        paid.add(host, False, 100.0)
    assert not paid.take("a.test", True, 101.0), "a plain request opens no tunnel"
    assert paid.take("a.test", False, 100.0 + PAID_SECONDS)
    assert not paid.take("a.test", False, 100.1 + PAID_SECONDS)
    paid.add("b.test", False, 105.0)
    assert paid.take("b.test", False, 100.1 + PAID_SECONDS)
    assert not paid.take("b.test", False, 100.1 + PAID_SECONDS)


async def test_without_an_answer_of_redis_no_request_begins() -> None:
    async with runner(permits(BrokenRates())) as log:
        log.ask("shop.test")
        await log.answered(1)
        assert log.refused == ["shop.test"]


async def test_a_process_without_redis_keeps_the_same_rate() -> None:
    clock = [100.0]
    rates = LocalRequestRates(lambda: clock[0])
    rate = RequestRate(0.5, burst=2)
    assert await rates.reserve("a.test", rate, [5.0]) == ReservedMoments((0,), 0)
    assert await rates.reserve("a.test", rate, [5.0, 1.0, 5.0, 5.0, 5.0]) == ReservedMoments((0, None, 2, 4, None), 6)
    clock[0] += 100
    assert await rates.reserve("a.test", rate, [5.0] * 3) == ReservedMoments((0, 0, 2), 4)


async def test_only_so_many_requests_of_all_runners_are_open() -> None:
    async with counting() as shared, runner(shared) as one, runner(shared) as other:
        one.ask("OPEN.test", 6, at_gateway=True)
        await one.answered(2)
        other.ask("open.test", 2, at_gateway=True, tls=True)
        other.ask("other.test", at_gateway=True)
        await other.answered(1)
        one.permits.ended(1)
        await one.answered(3)
        assert (one.counted, other.counted) == ([1, 2, 3], [])
        one.permits.ended(2)
        await other.answered(2)
        assert (one.counted, other.counted) == ([1, 2, 3], [1]), "runners take turns"
        one.permits.ended(2)
        other.permits.close()
        await one.answered(4)
        one.permits.close()
        await other.answered(3)
        await one.answered(5)
        assert (one.counted, other.counted) == ([1, 2, 3, 4, 5], [1, 2])
        assert not one.refused


async def test_requests_that_wait_too_long_to_be_open_are_refused_and_take_nothing() -> None:
    async with counting(longest_seconds=0.3) as shared, runner(shared) as log:
        log.ask("open.test", 4, at_gateway=True)
        await log.answered(4)
        assert [refused for _, (_, refused) in sorted(log.answers.items())] == [False, False, True, True]
        log.permits.ended(1)
        log.ask("open.test", at_gateway=True)
        await log.answered(5)
        assert log.counted == [1, 2, 5]


async def test_with_both_limits_a_plain_request_waits_at_the_gateway_for_both() -> None:
    async with counting(longest_seconds=1.0) as shared, runner(shared) as log:
        log.ask("both.test", 3)
        await log.answered(3)
        log.ask("both.test", 2, at_gateway=True)
        first = (await log.answered(4))[3]
        log.permits.ended(4)
        second = (await log.answered(5))[4]
        assert second - first >= 0.049, "what the runner let through had no moment"
        log.ask("both.test", tls=True)
        await log.answered(6)
        log.ask("both.test", tls=True, at_gateway=True)
        await log.answered(7)
        assert log.counted == [4, 5]
        assert log.answers[7][1], "the request has its moment, but too many are open"
