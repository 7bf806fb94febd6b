"""Permits that are asked for: each answer ends one wait, and their number has a bound."""

import asyncio

from pageworker_runner.pages.request_permits import RequestPermits
from pageworker_sandbox.wire import messages as m


async def asked(tasks: asyncio.TaskGroup, permits: RequestPermits) -> asyncio.Task[bool]:
    task = tasks.create_task(permits.ask("shop.test"))
    await asyncio.sleep(0)
    return task


async def test_each_answer_ends_its_own_wait() -> None:
    sent: list[m.Message] = []
    permits = RequestPermits(("shop.test",), sent.append)
    async with asyncio.TaskGroup() as tasks:
        first, second = await asked(tasks, permits), await asked(tasks, permits)
        assert sent == [m.PermitRequest(number=1, host="shop.test"), m.PermitRequest(number=2, host="shop.test")]
        permits.answered(m.PermitAnswer(number=2, refused=True))
        assert await second is False
        assert not first.done()
        permits.answered(m.PermitAnswer(number=1))
        assert await first is True
        permits.answered(m.PermitAnswer(number=1))


async def test_a_request_that_is_gone_counts_until_its_answer() -> None:
    """The supervisor kills a runner that asks for more."""
    sent: list[m.Message] = []
    permits = RequestPermits(("shop.test",), sent.append)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(m.MAX_WAITING_PERMITS):
            (await asked(tasks, permits)).cancel()
        await asyncio.sleep(0)
        assert await permits.ask("shop.test") is False
        assert len(sent) == m.MAX_WAITING_PERMITS
        permits.answered(m.PermitAnswer(number=1))
        waiting = await asked(tasks, permits)
        assert len(sent) == m.MAX_WAITING_PERMITS + 1
        permits.answered(m.PermitAnswer(number=m.MAX_WAITING_PERMITS + 1))
        assert await waiting


def test_hosts_without_limit_and_runners_without_such_hosts_need_none() -> None:
    permits = RequestPermits(("shop.test", "*.cdn.test"), lambda _: None)
    needed = ["shop.test", "a.cdn.test", "127.0.0.1", "free.test"]
    assert [permits.needed_for(host) for host in needed] == [True, True, True, False]
    none = RequestPermits((), lambda _: None)
    assert not any(none.needed_for(host) for host in needed)
