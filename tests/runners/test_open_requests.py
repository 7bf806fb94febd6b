"""Open requests of a worker: who begins next, when a call fails, and what is forgotten."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pageworker_supervisor.queue.request_counts import CountReply, LocalRequestCounts
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.redis_client.errors import RedisRefused
from pageworker_supervisor.runners import open_count
from pageworker_supervisor.runners.open_requests import OpenRequests

HOST = "shop.test"


async def _probe() -> None:
    """Redis answers."""


class CountedHolds(LocalRequestCounts):
    """Calls wait for `open`, as they would on the way to Redis. `errors`: what the next ones raise."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[int, int]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.errors: list[Exception] = []
        self.given_back = asyncio.Event()

    async def hold(self, host: str, worker_id: str, *, limit: int, holds: int, wants: int) -> CountReply:
        assert worker_id == "w1"
        self.calls.append((holds, wants))
        await self.open.wait()
        if self.errors:
            raise self.errors.pop()
        if holds + wants == 0:
            self.given_back.set()
        return await super().hold(host, worker_id, limit=limit, holds=holds, wants=wants)


class OpenAsked(OpenRequests):
    """With a limit that tests change."""

    def __init__(self) -> None:
        self.counts = CountedHolds()
        self.limit: int | None = 2
        super().__init__("w1", self.counts, Availability(_probe), lambda _: self.limit)

    async def ask(self, seconds: float = 5.0, owner: str = "r1") -> bool:
        return await self.begin(HOST, owner, asyncio.get_running_loop().time() + seconds)


@asynccontextmanager
async def running() -> AsyncIterator[OpenAsked]:
    requests = OpenAsked()
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(requests.run())
        yield requests
        task.cancel()


async def test_a_request_that_ends_leaves_its_permit_to_the_next_runner_without_a_call() -> None:
    async with running() as requests, asyncio.TaskGroup() as tasks:
        assert [await requests.ask(), await requests.ask()] == [True, True]
        order: list[str] = []

        async def wait(owner: str) -> None:
            assert await requests.ask(owner=owner)
            order.append(owner)

        waiting = [tasks.create_task(wait(owner)) for owner in ("r1", "r1", "r2")]
        await asyncio.sleep(0)
        calls = len(requests.counts.calls)
        for number in range(3):
            requests.end(HOST)
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            waiting = [task for task in waiting if not task.done()]
            assert len(order) == number + 1
        assert order == ["r1", "r2", "r1"]
        assert len(requests.counts.calls) <= calls + 2


async def test_a_request_that_is_given_up_takes_nothing() -> None:
    async with running() as requests, asyncio.TaskGroup() as tasks:
        assert [await requests.ask() for _ in range(2)] == [True, True]
        assert not await requests.ask(0.05)
        waiting = tasks.create_task(requests.ask())
        await asyncio.sleep(0)
        requests.end(HOST)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await requests.ask(), "the permit came in the moment in which it was given up"


async def test_without_redis_nothing_new_begins_and_a_call_that_failed_is_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(open_count, "RETRY_SECONDS", 0.05)
    async with running() as requests:
        requests.counts.open.clear()
        assert not await requests.ask(0.1)
        requests.counts.errors.append(RedisRefused("no such function"))
        requests.counts.open.set()
        assert await requests.ask()
        assert (0, 1) in requests.counts.calls[1:]


async def test_a_limit_that_is_taken_away_lets_all_begin_and_the_host_is_forgotten() -> None:
    async with running() as requests:
        assert [await requests.ask() for _ in range(2)] == [True, True]
        requests.limit = None
        assert await asyncio.gather(*(requests.ask() for _ in range(5))) == [True] * 5
        requests.limit = 1
        for _ in range(6):
            requests.end(HOST)
        assert not await requests.ask(0.1), "one is still open"
        requests.end(HOST)
        assert await requests.ask()
        requests.end(HOST)


async def test_a_host_without_open_requests_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_count, "SPARE_SECONDS", 0.05)
    async with running() as requests:
        assert await requests.ask()
        requests.end(HOST)
        await requests.counts.given_back.wait()
        await asyncio.sleep(0.01)
        assert requests._hosts == {}
        assert requests.counts.calls == [(0, 1), (0, 0)]
