"""Permits that are asked for: each answer ends one wait, and their number has a bound."""

import asyncio

from pageworker_runner.pages.request_permits import PermitClient
from pageworker_sandbox.wire import messages as m


async def asked(tasks: asyncio.TaskGroup, permits: PermitClient) -> asyncio.Task[bool]:
    task = tasks.create_task(permits.ask("shop.test"))
    await asyncio.sleep(0)
    return task


def asks(count: int) -> list[m.Message]:
    return [m.PermitRequest(number=number, host="shop.test") for number in range(1, count + 1)]


async def test_each_answer_ends_the_longest_wait_for_its_host() -> None:
    sent: list[m.Message] = []
    permits = PermitClient(("*.test",), sent.append)
    async with asyncio.TaskGroup() as tasks:
        first, second = await asked(tasks, permits), await asked(tasks, permits)
        assert sent == asks(2)
        other = tasks.create_task(permits.ask("other.test"))
        await asyncio.sleep(0)
        permits.answered(m.PermitAnswer(number=2))
        assert await first is True
        permits.answered(m.PermitAnswer(number=2))
        permits.answered(m.PermitAnswer(number=7))
        assert not second.done()
        permits.answered(m.PermitAnswer(number=3, refused=True))
        assert await other is False
        permits.answered(m.PermitAnswer(number=1, refused=True))
        assert await second is False


async def test_a_permit_whose_request_is_gone_is_for_the_next_one() -> None:
    """The moment of a request that a page gave up would be lost for the whole fleet."""
    sent: list[m.Message] = []
    permits = PermitClient(("shop.test",), sent.append)
    async with asyncio.TaskGroup() as tasks:
        cancelled, gone, last = [await asked(tasks, permits) for _ in range(3)]
        cancelled.cancel()
        permits.answered(m.PermitAnswer(number=1))
        assert await gone is True
        permits.unused("shop.test")
        assert await last is True
        permits.unused("shop.test")
        for number in (2, 3):
            permits.answered(m.PermitAnswer(number=number))
        late = await asked(tasks, permits)
        assert not late.done(), "a permit is not kept for later"
        permits.answered(m.PermitAnswer(number=4))
        assert await late is True


async def test_a_request_that_is_gone_counts_until_its_answer() -> None:
    """The supervisor kills a runner that asks for more."""
    sent: list[m.Message] = []
    permits = PermitClient(("shop.test",), sent.append)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(m.MAX_WAITING_PERMITS):
            (await asked(tasks, permits)).cancel()
        await asyncio.sleep(0)
        assert await permits.ask("shop.test") is False
        assert sent == asks(m.MAX_WAITING_PERMITS)
        permits.answered(m.PermitAnswer(number=1))
        waiting = await asked(tasks, permits)
        assert sent == asks(m.MAX_WAITING_PERMITS + 1)
        permits.answered(m.PermitAnswer(number=2))
        assert await waiting


def test_hosts_without_limit_and_runners_without_such_hosts_need_none() -> None:
    permits = PermitClient(("shop.test", "*.cdn.test"), lambda _: None)
    needed = ["shop.test", "a.cdn.test", "127.0.0.1", "free.test"]
    assert [permits.needed_for(host) for host in needed] == [True, True, True, False]
    none = PermitClient((), lambda _: None)
    assert not any(none.needed_for(host) for host in needed)
