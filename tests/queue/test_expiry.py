"""`expires_at` stays in force until a handler of the job has begun, however often the job is put back."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from pw_queue import DONE, QueueBench, blocked, everything, open_desk, ticket
from pw_servers import RedisServer

from pageworker_supervisor.queue.options import Lease, boot_seconds

PutBack = Callable[[QueueBench, Lease, bool], Awaitable[object]]


async def give_back(desk: QueueBench, lease: Lease, begun: bool) -> object:
    return await desk.engine.requeue(lease, begun=begun)


async def defer(desk: QueueBench, lease: Lease, begun: bool) -> object:
    return await desk.engine.defer(lease, 100, "no page", begun=begun)


async def retry(desk: QueueBench, lease: Lease, begun: bool) -> object:
    return await desk.engine.retry(lease, 100, b"{}", begun=begun)


async def crash(desk: QueueBench, lease: Lease, begun: bool) -> object:
    return await desk.engine.crash(lease, 100, b"{}", begun=begun)


async def lose(desk: QueueBench, lease: Lease, begun: bool) -> object:
    """The worker dies."""
    if begun:
        assert await desk.engine.begin(lease)
    await desk.engine.disown_worker("w1")
    return True


PUT_BACK: list[PutBack] = [give_back, defer, retry, crash, lose]


async def expiring(desk: QueueBench, job_id: str = "j1", milliseconds: int = 5_000) -> Lease:
    """A job that is claimed."""
    seconds, micros = await desk.client.time()
    at = seconds * 1000 + micros // 1000 + desk.ahead + milliseconds
    await desk.engine.enqueue([ticket(job_id, expires_at_ms=at)])
    return await desk.one()


@pytest.mark.parametrize("put_back", PUT_BACK)
async def test_put_back_before_a_handler_began_it_expires_on_time(desk: QueueBench, put_back: PutBack) -> None:
    assert await put_back(desk, await expiring(desk), False)
    await desk.later(5_100)
    (lease,) = await desk.take("w2")
    assert lease.verdict == "expired"
    await desk.finish([lease])


@pytest.mark.parametrize("put_back", PUT_BACK)
async def test_put_back_after_its_time_it_is_not_queued_again(desk: QueueBench, put_back: PutBack) -> None:
    lease = await expiring(desk)
    await desk.later(6_000)
    assert await put_back(desk, lease, False)
    (again,) = await desk.take("w2")
    assert again.verdict == "expired"
    await desk.finish([again])


@pytest.mark.parametrize("put_back", PUT_BACK)
async def test_a_job_whose_handler_began_once_does_not_expire_any_more(desk: QueueBench, put_back: PutBack) -> None:
    assert await put_back(desk, await expiring(desk), True)
    await desk.later(60_000)
    (again,) = await desk.take("w2")
    assert (again.verdict, again.begin_before) == (None, None)
    assert await desk.engine.requeue(again)
    (third,) = await desk.take("w3")
    assert third.verdict is None, "nor after it was put back once more"
    await desk.finish([third])


async def test_a_lease_tells_how_long_the_handler_may_begin_on_a_clock_of_this_host(desk: QueueBench) -> None:
    before = boot_seconds()
    lease = await expiring(desk, milliseconds=5_000)
    assert lease.begin_before is not None
    assert before + 4 < lease.begin_before <= boot_seconds() + 5
    assert await desk.engine.begin(lease)
    assert await desk.engine.begin(lease), "said twice is said once"
    await desk.finish([lease])
    assert not await desk.engine.begin(lease)


async def test_more_that_expire_at_once_than_one_call_ends_do_not_start(desk: QueueBench) -> None:
    seconds, _ = await desk.client.time()
    at = (seconds + 5) * 1000
    await desk.engine.enqueue([ticket(f"j{n}", expires_at_ms=at) for n in range(300)])
    await desk.later(10_000)
    seen: list[Lease] = []
    while leases := await desk.take(capacity=everything(50)):
        seen += leases
        await desk.finish(leases)
    assert len(seen) == 300
    assert {lease.verdict for lease in seen} == {"expired"}


async def test_what_is_due_late_expires_all_the_same(desk: QueueBench) -> None:
    seconds, _ = await desk.client.time()
    await desk.engine.enqueue([ticket("j1", delay_ms=60_000, expires_at_ms=(seconds + 5) * 1000)])
    await desk.later(6_000)
    lease = await desk.one()
    assert lease.verdict == "expired"
    await desk.finish([lease])


async def test_a_worker_without_a_free_page_ends_what_expires_on_time(
    desk: QueueBench, live_redis: RedisServer
) -> None:
    """Asleep, with all pages taken for an hour, and the job comes only then."""
    await desk.engine.enqueue([ticket("runs")])
    running = await desk.one("w1")
    assert await desk.take("w1", everything(0)) == []
    started = time.monotonic()
    async with open_desk(live_redis.port) as other, asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        ended = tasks.create_task(_until_expired(desk))
        await blocked(desk.client, 1)
        seconds, micros = await other.client.time()
        await other.engine.enqueue([ticket("late", expires_at_ms=seconds * 1000 + micros // 1000 + 500)])
    assert ended.result().job_id == "late"
    assert 0.4 < time.monotonic() - started < 2.0
    assert await desk.engine.finish_many([(running, DONE), (ended.result(), DONE)]) == [True, True]


async def _until_expired(desk: QueueBench) -> Lease:
    while True:
        await desk.engine.wait("w1", 5)
        if leases := await desk.take("w1", everything(0)):
            assert leases[0].verdict == "expired"
            return leases[0]
