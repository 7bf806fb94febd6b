"""Calls for permits are few, whatever pages do, and each request gets its moment all the same."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest

from pageworker_supervisor.queue.request_rates import LocalRequestRates, RequestRate, ReservedMoments
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.redis_client.errors import RedisRefused
from pageworker_supervisor.runners import moment_calls
from pageworker_supervisor.runners.moment_calls import CALLS_PER_SECOND, FULL_SECONDS, FullHost, MomentCalls

HOST = "shop.test"
SLOW = RequestRate(0.01)
FAST = RequestRate(100_000.0)


async def _probe() -> None:
    """Redis answers."""


class CountedRates(LocalRequestRates):
    """Rates whose calls are counted. A call waits for `open`, as it would on the way to Redis."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []
        """Requests of each."""
        self.called = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None

    async def reserve(self, host: str, rate: RequestRate, longest_seconds: Sequence[float]) -> ReservedMoments:
        self.calls.append(len(longest_seconds))
        self.called.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return await super().reserve(host, rate, longest_seconds)


class CountedCalls(MomentCalls):
    """Calls of one worker."""

    def __init__(self) -> None:
        self.rates = CountedRates()
        super().__init__(self.rates, Availability(_probe))

    async def ask(self, rate: RequestRate, seconds: float = 1.0, host: str = HOST) -> float | None:
        """In how many seconds a request may begin that may wait for `seconds`."""
        now = asyncio.get_running_loop().time()
        moment = await self.reserve(host, rate, now + seconds)
        return None if moment is None else moment - now


async def test_a_page_that_asks_without_end_makes_no_call_for_a_host_that_is_full() -> None:
    """It made about 1,000 calls per second: each request was refused at once, and the page sent the next one."""
    calls = CountedCalls()
    assert await calls.ask(SLOW) is not None
    for _ in range(1000):
        assert await calls.ask(SLOW) is None
    assert len(calls.rates.calls) == 2


async def test_calls_for_a_host_are_few_also_while_it_is_not_full() -> None:
    calls, seconds, answers = CountedCalls(), 0.5, 0
    until = asyncio.get_running_loop().time() + seconds

    async def page() -> None:
        nonlocal answers
        while asyncio.get_running_loop().time() < until:
            assert await calls.ask(FAST) is not None
            answers += 1

    async with asyncio.TaskGroup() as tasks:
        for _ in range(20):
            tasks.create_task(page())
    assert len(calls.rates.calls) <= seconds * CALLS_PER_SECOND + 2
    assert answers > len(calls.rates.calls) * 10, "pages share calls"


async def test_requests_that_wait_share_one_call_and_have_moments_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moment_calls, "REQUESTS_PER_CALL", 4)
    calls = CountedCalls()
    calls.rates.open.clear()
    async with asyncio.TaskGroup() as tasks:
        asking = [tasks.create_task(calls.ask(RequestRate(10), seconds)) for seconds in (9, 9, 0.15, 9, 9, 9, 9)]
        await calls.rates.called.wait()
        calls.rates.open.set()
    moments = [task.result() for task in asking]
    assert sum(calls.rates.calls) == len(asking)
    assert max(calls.rates.calls) == 4
    assert moments[2] is None, "the only one that may not wait so long"
    begins = [moment for moment in moments if moment is not None]
    assert all(later - earlier >= 0.099 for earlier, later in pairwise(begins))


async def test_hosts_do_not_wait_for_each_other() -> None:
    calls = CountedCalls()
    calls.rates.open.clear()
    async with asyncio.TaskGroup() as tasks:
        for n in range(3):
            tasks.create_task(calls.ask(FAST, host=f"h{n}.test"))
        async with asyncio.timeout(5):
            while len(calls.rates.calls) < 3:
                calls.rates.called.clear()
                await calls.rates.called.wait()
        calls.rates.open.set()


async def test_a_request_that_is_given_up_leaves_its_call_to_the_next_one() -> None:
    calls = CountedCalls()
    calls.rates.open.clear()
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        first, second = (tasks.create_task(calls.ask(FAST)) for _ in range(2))
        await calls.rates.called.wait()
        calls.rates.called.clear()
        first.cancel()
        await calls.rates.called.wait()
        calls.rates.open.set()
        assert await second is not None
    assert calls.rates.calls[-1] == 1


async def test_requests_are_refused_when_redis_refuses_their_call() -> None:
    calls = CountedCalls()
    calls.rates.error = RedisRefused("no such function")
    assert await asyncio.gather(*(calls.ask(FAST) for _ in range(5))) == [None] * 5
    assert len(calls.rates.calls) <= 2
    calls.rates.error = None
    assert await calls.ask(FAST) is not None


def test_a_full_host_is_asked_again_after_a_while_or_at_another_rate() -> None:
    full = FullHost(SLOW, free_at=200.0, until=100.0 + FULL_SECONDS)
    assert full.refuses(SLOW, 130.0, 100.5)
    assert not full.refuses(SLOW, 200.0, 100.5), "it may wait so long"
    assert not full.refuses(FAST, 130.0, 100.5)
    assert not full.refuses(SLOW, 130.0, 100.0 + FULL_SECONDS)


async def test_hosts_without_calls_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moment_calls, "FULL_SECONDS", -1.0)
    calls = CountedCalls()
    for n in range(1000):
        await calls.ask(FAST, host=f"h{n}.test")
    assert len(calls._hosts) <= moment_calls.KEPT_HOSTS
