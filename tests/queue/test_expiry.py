"""`expires_at` stays in force until a handler of the job has begun, however often the job is put back."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from pw_queue import QueueHarness, blocked, everything, open_harness, ticket
from pw_servers import RedisServer

from pageworker_supervisor.queue.claim import Lease, boot_seconds

PutBack = Callable[[QueueHarness, Lease, bool], Awaitable[object]]


async def give_back(harness: QueueHarness, lease: Lease, begun: bool) -> object:
    return await harness.consumer.requeue(lease, begun=begun)


async def defer(harness: QueueHarness, lease: Lease, begun: bool) -> object:
    return await harness.consumer.defer(lease, 100, "no page", begun=begun)


async def retry(harness: QueueHarness, lease: Lease, begun: bool) -> object:
    return await harness.consumer.retry(lease, 100, b"{}", begun=begun)


async def crash(harness: QueueHarness, lease: Lease, begun: bool) -> object:
    return await harness.consumer.crash(lease, 100, b"{}", begun=begun)


async def lose(harness: QueueHarness, lease: Lease, begun: bool) -> object:
    """The worker dies."""
    if begun:
        assert await harness.consumer.begin(lease)
    await harness.consumer.disown_worker("w1")
    return True


PUT_BACK: list[PutBack] = [give_back, defer, retry, crash, lose]


async def expiring(harness: QueueHarness, job_id: str = "j1", milliseconds: int = 5_000) -> Lease:
    """A job that is claimed."""
    seconds, micros = await harness.client.time()
    at = seconds * 1000 + micros // 1000 + harness.ahead + milliseconds
    await harness.producer.enqueue([ticket(job_id, expires_at_ms=at)])
    return await harness.one()


@pytest.mark.parametrize("put_back", PUT_BACK)
async def test_put_back_before_a_handler_began_it_expires_on_time(harness: QueueHarness, put_back: PutBack) -> None:
    assert await put_back(harness, await expiring(harness), False)
    await harness.later(5_100)
    (lease,) = await harness.take("w2")
    assert lease.ending == "expired"
    await harness.finish([lease])


@pytest.mark.parametrize("put_back", PUT_BACK)
async def test_put_back_after_its_time_it_is_not_queued_again(harness: QueueHarness, put_back: PutBack) -> None:
    lease = await expiring(harness)
    await harness.later(6_000)
    assert await put_back(harness, lease, False)
    (again,) = await harness.take("w2")
    assert again.ending == "expired"
    await harness.finish([again])


@pytest.mark.parametrize("put_back", PUT_BACK)
async def test_a_job_whose_handler_began_once_does_not_expire_any_more(
    harness: QueueHarness, put_back: PutBack
) -> None:
    assert await put_back(harness, await expiring(harness), True)
    await harness.later(60_000)
    (again,) = await harness.take("w2")
    assert (again.ending, again.begin_before) == (None, None)
    assert await harness.consumer.requeue(again)
    (third,) = await harness.take("w3")
    assert third.ending is None, "nor after it was put back once more"
    await harness.finish([third])


async def test_a_lease_tells_how_long_the_handler_may_begin_on_a_clock_of_this_host(harness: QueueHarness) -> None:
    before = boot_seconds()
    lease = await expiring(harness, milliseconds=5_000)
    assert lease.begin_before is not None
    assert before + 4 < lease.begin_before <= boot_seconds() + 5
    assert await harness.consumer.begin(lease)
    assert await harness.consumer.begin(lease), "said twice is said once"
    await harness.finish([lease])
    assert not await harness.consumer.begin(lease)


async def test_more_that_expire_at_once_than_one_call_ends_do_not_start(harness: QueueHarness) -> None:
    seconds, _ = await harness.client.time()
    at = (seconds + 5) * 1000
    await harness.producer.enqueue([ticket(f"j{n}", expires_at_ms=at) for n in range(300)])
    await harness.later(10_000)
    seen: list[Lease] = []
    while leases := await harness.take(capacity=everything(50)):
        seen += leases
        await harness.finish(leases)
    assert len(seen) == 300
    assert {lease.ending for lease in seen} == {"expired"}


async def test_what_is_due_late_expires_all_the_same(harness: QueueHarness) -> None:
    seconds, _ = await harness.client.time()
    await harness.producer.enqueue([ticket("j1", delay_ms=60_000, expires_at_ms=(seconds + 5) * 1000)])
    await harness.later(6_000)
    lease = await harness.one()
    assert lease.ending == "expired"
    await harness.finish([lease])


async def test_a_worker_without_a_free_page_ends_what_expires_on_time(
    harness: QueueHarness, live_redis: RedisServer
) -> None:
    """Asleep, with all pages taken for an hour, and the job comes only then."""
    await harness.producer.enqueue([ticket("runs")])
    running = await harness.one("w1")
    assert await harness.take("w1", everything(0)) == []
    started = time.monotonic()
    async with open_harness(live_redis.port) as other, asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        ended = tasks.create_task(_until_expired(harness))
        await blocked(harness.client, 1)
        seconds, micros = await other.client.time()
        await other.queue.producer.enqueue([ticket("late", expires_at_ms=seconds * 1000 + micros // 1000 + 500)])
    assert ended.result().job_id == "late"
    assert 0.4 < time.monotonic() - started < 2.0
    await harness.finish([running, ended.result()])


async def _until_expired(harness: QueueHarness) -> Lease:
    while True:
        await harness.consumer.wait("w1", 5)
        if leases := await harness.take("w1", everything(0)):
            assert leases[0].ending == "expired"
            return leases[0]
