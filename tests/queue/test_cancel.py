"""A cancellation that was acknowledged holds, whatever state the job is in."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pw_queue import DONE, QueueBench, blocked, everything, open_desk, ref, ticket
from pw_servers import RedisServer

from pageworker_supervisor.queue.errors import CancelHolds
from pageworker_supervisor.queue.options import FinishRequest, Lease

CANCELLED = FinishRequest(status="cancelled", result=b'{"status":"cancelled"}')
PER_TENANT = 10_000
"""Of 11_cancellations.lua."""


async def test_a_job_that_comes_after_its_cancellation_ends_without_a_turn(desk: QueueBench) -> None:
    assert await desk.engine.cancel(ref("j1")) == "awaited"
    assert await desk.engine.enqueue([ticket("j1"), ticket("j2")]) == ["queued", "queued"]
    leases = await desk.take()
    assert [(lease.job_id, lease.verdict) for lease in leases] == [("j1", "cancelled"), ("j2", None)]
    await desk.finish(leases)
    assert await desk.engine.cancel(ref("j1")) == "finished"


@pytest.mark.parametrize("fields", [{"delay_ms": 5_000}, {"profile_id": "p"}, {"expires_at_ms": 1}])
async def test_whatever_kind_of_job_it_is_that_comes(desk: QueueBench, fields: dict[str, Any]) -> None:
    assert await desk.engine.cancel(ref("j1")) == "awaited"
    await desk.engine.enqueue([ticket("j1", **fields)])
    lease = await desk.one()
    assert (lease.job_id, lease.verdict) == ("j1", "cancelled")
    await desk.finish([lease])


async def test_a_remembered_cancellation_is_for_one_job_of_one_tenant(desk: QueueBench) -> None:
    await desk.engine.cancel(ref("j1", "other"))
    await desk.engine.enqueue([ticket("j1")])
    assert (await desk.one()).verdict is None


async def test_a_remembered_cancellation_is_forgotten_in_time_and_leaves_nothing(desk: QueueBench) -> None:
    assert await desk.engine.cancel(ref("j1")) == "awaited"
    assert 0 < await desk.client.pttl("pw:{0}:cancelled") <= 86_400_000
    assert 0 < await desk.client.pttl("pw:{0}:cancelled:counts") <= 86_400_000
    await desk.later(86_400_001)
    await desk.engine.enqueue([ticket("j1")])
    assert (await desk.one()).verdict is None
    assert await desk.client.exists("pw:{0}:cancelled", "pw:{0}:cancelled:counts") == 0


async def test_a_tenant_that_cancels_without_end_is_refused_and_no_other(desk: QueueBench) -> None:
    """What was acknowledged is not forgotten for what comes later, so memory ends by refusing."""
    assert await desk.engine.cancel(ref("early", "acme")) == "awaited"
    for first in range(0, PER_TENANT + 100, 500):
        async with desk.client.pipeline(transaction=False) as pipe:
            for number in range(first, first + 500):
                pipe.fcall(desk.engine.function("cancel"), 1, "pw:{0}", f"greedy/{number}", 60_000)
            words = await pipe.execute()
    assert words[-1] == b"unknown"
    assert await desk.engine.cancel(ref("0", "greedy")) == "awaited", "known already"
    assert await desk.client.zcard("pw:{0}:cancelled") == PER_TENANT + 1
    assert await desk.engine.cancel(ref("late", "acme")) == "awaited"
    await desk.engine.enqueue([ticket("early"), ticket("late")])
    assert {lease.verdict for lease in await desk.take()} == {"cancelled"}
    await desk.later(60_001)
    assert await desk.engine.cancel(ref("new", "greedy")) == "awaited", "the old ones are over"


async def _retry(desk: QueueBench, lease: Lease) -> bool:
    return await desk.engine.retry(lease, 10, b"{}")


async def _defer(desk: QueueBench, lease: Lease) -> bool:
    return await desk.engine.defer(lease, 10, "no page")


async def _give_back(desk: QueueBench, lease: Lease) -> bool:
    return await desk.engine.requeue(lease)


async def _crash(desk: QueueBench, lease: Lease) -> bool:
    return await desk.engine.crash(lease, 10, b"{}")


async def _reap(desk: QueueBench, lease: Lease) -> bool:
    await desk.later(50_000)
    return (await desk.engine.reap()).count == 1


@pytest.mark.parametrize("act", [_retry, _defer, _give_back, _crash, _reap])
async def test_a_cancelled_job_that_is_put_back_does_not_run_again(
    desk: QueueBench, act: Callable[[QueueBench, Lease], Awaitable[bool]]
) -> None:
    await desk.engine.enqueue([ticket("j1")])
    lease = await desk.one()
    assert await desk.engine.cancel(ref("j1")) == "cancelling"
    assert await act(desk, lease)
    await desk.later(20_000)
    (again,) = await desk.take("w2")
    assert again.verdict == "cancelled"
    await desk.finish([again])


async def test_a_job_that_ends_just_then_ends_as_cancelled(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("j1"), ticket("j2")])
    first, second = await desk.take()
    assert await desk.engine.cancel(ref("j1")) == "cancelling"
    with pytest.raises(CancelHolds):
        await desk.engine.finish(first, DONE)
    assert await desk.engine.finish_many([(first, DONE), (second, DONE)]) == [False, True]
    assert await desk.engine.result(ref("j1")) is None
    assert [await desk.engine.finish(first, CANCELLED) for _ in range(2)] == [True, True]
    assert await desk.results() == [DONE.result, CANCELLED.result]
    assert await desk.engine.cancel(ref("j1")) == "finished"


async def test_what_ends_otherwise_already_is_not_acknowledged(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("late", expires_at_ms=1)])
    assert await desk.engine.reap()
    assert await desk.engine.cancel(ref("late")) == "finished", "only its result is left to be written"
    lease = await desk.one()
    assert lease.verdict == "expired"
    assert await desk.engine.cancel(ref("late")) == "finished"
    assert await desk.engine.finish(lease, FinishRequest(status="expired", result=b"{}"))


async def test_a_cancelled_job_keeps_that_end_while_it_is_written(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("j1")])
    assert await desk.engine.cancel(ref("j1")) == "cancelled"
    assert await desk.engine.cancel(ref("j1")) == "cancelled"
    lease = await desk.one()
    assert await desk.engine.cancel(ref("j1")) == "cancelled"
    assert await desk.engine.requeue(lease)
    again = await desk.one()
    assert again.verdict == "cancelled"
    await desk.finish([again])


async def test_a_worker_without_a_free_page_writes_the_result(desk: QueueBench, live_redis: RedisServer) -> None:
    """All pages are taken for an hour; what is cancelled or expires meanwhile is not to wait for one."""
    await desk.engine.enqueue([ticket("runs"), ticket("waits"), ticket("late", delay_ms=10**7)])
    assert len(await desk.take("w1", everything(1))) == 1
    assert await desk.take("w1", everything(0)) == []
    async with open_desk(live_redis.port) as other:
        for act in (other.engine.cancel(ref("waits")), other.engine.cancel(ref("late"))):
            waiting = _wait(desk, "w1")
            async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
                woken = tasks.create_task(waiting)
                await blocked(desk.client, 1)
                assert await act == "cancelled"
            assert woken.result()
            (lease,) = await desk.take("w1", everything(0))
            await desk.finish([lease])


async def _wait(desk: QueueBench, worker: str) -> bool:
    return (await desk.engine.wait(worker, 4)).work
