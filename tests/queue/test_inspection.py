"""A cancellation that was acknowledged holds, whatever state the job is in."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pw_queue import DONE, JobEnd, QueueHarness, blocked, everything, open_harness, ref, ticket
from pw_servers import RedisServer

from pageworker_supervisor.queue.claim import Lease
from pageworker_supervisor.queue.errors import CancelHolds
from pageworker_supervisor.queue.options import QueueOptions

CANCELLED = JobEnd(status="cancelled", result=b'{"status":"cancelled"}')
PER_TENANT = 10_000
"""Of 11_cancellations.lua."""


async def test_a_job_that_comes_after_its_cancellation_ends_without_a_turn(harness: QueueHarness) -> None:
    assert await harness.inspection.cancel(ref("j1")) == "awaited"
    assert await harness.producer.enqueue([ticket("j1"), ticket("j2")]) == ["queued", "queued"]
    leases = await harness.take()
    assert [(lease.job_id, lease.ending) for lease in leases] == [("j1", "cancelled"), ("j2", None)]
    await harness.finish(leases)
    assert await harness.inspection.cancel(ref("j1")) == "finished"


@pytest.mark.parametrize("fields", [{"delay_ms": 5_000}, {"profile_id": "p"}, {"expires_at_ms": 1}])
async def test_whatever_kind_of_job_it_is_that_comes(harness: QueueHarness, fields: dict[str, Any]) -> None:
    assert await harness.inspection.cancel(ref("j1")) == "awaited"
    await harness.producer.enqueue([ticket("j1", **fields)])
    lease = await harness.one()
    assert (lease.job_id, lease.ending) == ("j1", "cancelled")
    await harness.finish([lease])


async def test_a_remembered_cancellation_is_for_one_job_of_one_tenant(harness: QueueHarness) -> None:
    await harness.inspection.cancel(ref("j1", "other"))
    await harness.producer.enqueue([ticket("j1")])
    assert (await harness.one()).ending is None


async def test_a_remembered_cancellation_is_forgotten_in_time_and_leaves_nothing(harness: QueueHarness) -> None:
    memory_ms = QueueOptions().cancel_memory_seconds * 1000
    assert await harness.inspection.cancel(ref("j1")) == "awaited"
    assert 0 < await harness.client.pttl("pw:{0}:cancellations") <= memory_ms
    assert 0 < await harness.client.pttl("pw:{0}:cancellations:counts") <= memory_ms
    await harness.later(memory_ms + 1)
    await harness.producer.enqueue([ticket("j1")])
    assert (await harness.one()).ending is None
    assert await harness.client.exists("pw:{0}:cancellations", "pw:{0}:cancellations:counts") == 0


async def test_a_tenant_that_cancels_without_end_is_refused_and_no_other(harness: QueueHarness) -> None:
    """What was acknowledged is not forgotten for what comes later, so memory ends by refusing."""
    assert await harness.inspection.cancel(ref("early", "acme")) == "awaited"
    for first in range(0, PER_TENANT + 100, 500):
        async with harness.client.pipeline(transaction=False) as pipe:
            for number in range(first, first + 500):
                pipe.fcall(*harness.function_call("cancel", ref=f"greedy/{number}", memory_ms=60_000))
            words = await pipe.execute()
    assert words[-1] == b"unknown"
    assert await harness.inspection.cancel(ref("0", "greedy")) == "awaited", "known already"
    assert await harness.client.zcard("pw:{0}:cancellations") == PER_TENANT + 1
    assert await harness.inspection.cancel(ref("late", "acme")) == "awaited"
    await harness.producer.enqueue([ticket("early"), ticket("late")])
    assert {lease.ending for lease in await harness.take()} == {"cancelled"}
    await harness.later(60_001)
    assert await harness.inspection.cancel(ref("new", "greedy")) == "awaited", "the old ones are over"


async def _retry(harness: QueueHarness, lease: Lease) -> bool:
    return await harness.consumer.retry(lease, 10, b"{}")


async def _defer(harness: QueueHarness, lease: Lease) -> bool:
    return await harness.consumer.defer(lease, 10, "no page")


async def _give_back(harness: QueueHarness, lease: Lease) -> bool:
    return await harness.consumer.requeue(lease)


async def _crash(harness: QueueHarness, lease: Lease) -> bool:
    return await harness.consumer.crash(lease, 10, b"{}")


async def _reap(harness: QueueHarness, lease: Lease) -> bool:
    await harness.later(50_000)
    return (await harness.consumer.reap()).count == 1


@pytest.mark.parametrize("act", [_retry, _defer, _give_back, _crash, _reap])
async def test_a_cancelled_job_that_is_put_back_does_not_run_again(
    harness: QueueHarness, act: Callable[[QueueHarness, Lease], Awaitable[bool]]
) -> None:
    await harness.producer.enqueue([ticket("j1")])
    lease = await harness.one()
    assert await harness.inspection.cancel(ref("j1")) == "cancelling"
    assert await act(harness, lease)
    await harness.later(20_000)
    (again,) = await harness.take("w2")
    assert again.ending == "cancelled"
    await harness.finish([again])


async def test_a_job_that_ends_just_then_ends_as_cancelled(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1"), ticket("j2")])
    first, second = await harness.take()
    assert await harness.inspection.cancel(ref("j1")) == "cancelling"
    with pytest.raises(CancelHolds):
        await harness.consumer.finish(first, **DONE)
    assert await harness.consumer.finish(second, **DONE)
    assert await harness.inspection.result(ref("j1")) is None
    assert [await harness.consumer.finish(first, **CANCELLED) for _ in range(2)] == [True, True]
    assert await harness.results() == [DONE["result"], CANCELLED["result"]]
    assert await harness.inspection.cancel(ref("j1")) == "finished"


async def test_what_ends_otherwise_already_is_not_acknowledged(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("late", expires_at_ms=1)])
    assert await harness.consumer.reap()
    assert await harness.inspection.cancel(ref("late")) == "finished", "only its result is left to be written"
    lease = await harness.one()
    assert lease.ending == "expired"
    assert await harness.inspection.cancel(ref("late")) == "finished"
    assert await harness.consumer.finish(lease, status="expired", result=b"{}")


async def test_a_cancelled_job_keeps_that_end_while_it_is_written(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1")])
    assert await harness.inspection.cancel(ref("j1")) == "cancelled"
    assert await harness.inspection.cancel(ref("j1")) == "cancelled"
    lease = await harness.one()
    assert await harness.inspection.cancel(ref("j1")) == "cancelled"
    assert await harness.consumer.requeue(lease)
    again = await harness.one()
    assert again.ending == "cancelled"
    await harness.finish([again])


async def test_a_worker_without_a_free_page_writes_the_result(harness: QueueHarness, live_redis: RedisServer) -> None:
    """All pages are taken for an hour; what is cancelled or expires meanwhile is not to wait for one."""
    await harness.producer.enqueue([ticket("runs"), ticket("waits"), ticket("late", delay_ms=10**7)])
    assert len(await harness.take("w1", everything(1))) == 1
    assert await harness.take("w1", everything(0)) == []
    async with open_harness(live_redis.port) as other:
        for act in (other.queue.inspection.cancel(ref("waits")), other.queue.inspection.cancel(ref("late"))):
            waiting = _wait(harness, "w1")
            async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
                woken = tasks.create_task(waiting)
                await blocked(harness.client, 1)
                assert await act == "cancelled"
            assert woken.result()
            (lease,) = await harness.take("w1", everything(0))
            await harness.finish([lease])


async def _wait(harness: QueueHarness, worker: str) -> bool:
    return (await harness.consumer.wait(worker, 4)).work
