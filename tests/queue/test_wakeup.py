"""Workers sleep until there is something for them, wake at once, and cost nothing meanwhile."""

import asyncio
import time
from collections.abc import Awaitable

from pw_queue import QueueHarness, blocked, everything, open_harness, places, plain_client, ref, ticket
from pw_servers import RedisServer

from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.wakeup import BLOCK_SECONDS, CancelNotice
from pageworker_supervisor.redis_client import Router
from pageworker_supervisor.redis_client.clients import LONGEST_BLOCK_SECONDS


def test_a_sleep_ends_before_its_socket_times_out() -> None:
    assert BLOCK_SECONDS < LONGEST_BLOCK_SECONDS


async def test_a_push_wakes_one_idle_worker_at_once(harness: QueueHarness, live_redis: RedisServer) -> None:
    async with open_harness(live_redis.port) as other, open_harness(live_redis.port) as third:
        sleepers = {name: one.queue for name, one in (("w1", harness), ("w2", other), ("w3", third))}
        for name, queue in sleepers.items():
            assert not (await queue.consumer.claim(name, everything(4))).leases
        async with asyncio.TaskGroup() as tasks:
            waits = {name: tasks.create_task(queue.consumer.wait(name, 1.0)) for name, queue in sleepers.items()}
            await blocked(harness.client, 3)
            pushed = time.monotonic()
            await harness.producer.enqueue([ticket("j1")])
            await asyncio.wait(waits.values(), return_when=asyncio.FIRST_COMPLETED)
            assert time.monotonic() - pushed < 0.5
        woken = [name for name, wait in waits.items() if wait.result().work]
        assert len(woken) == 1, "one job wakes one worker"


async def test_a_bulk_of_jobs_wakes_several_workers_and_these_wake_the_rest(
    harness: QueueHarness, live_redis: RedisServer
) -> None:
    async with open_harness(live_redis.port) as other:
        for name, queue in (("w1", harness.queue), ("w2", other.queue)):
            await queue.consumer.claim(name, places(new=1, pages=1))
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            waits = [
                tasks.create_task(queue.consumer.wait(name, 5))
                for name, queue in (("w1", harness.queue), ("w2", other.queue))
            ]
            await blocked(harness.client, 2)
            await harness.producer.enqueue([ticket("j1"), ticket("j2")])
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            first = "w1" if waits[0].done() else "w2"
            assert len(await harness.take(first, places(new=1, pages=1))) == 1
        assert all(wait.result().work for wait in waits), "what one leaves behind wakes another"


async def test_a_warm_context_is_woken_without_runner_slots(harness: QueueHarness) -> None:
    assert not await harness.take("w1", places(("acme", None, 1)))
    assert await _woken_by(harness, "w1", harness.producer.enqueue([ticket("j1")]))


async def test_a_worker_without_a_place_sleeps_on(harness: QueueHarness) -> None:
    assert not await harness.take("w1", places(("acme", None, 1)))
    assert not await _woken_by(harness, "w1", harness.producer.enqueue([ticket("j1", "other")]), seconds=0.3)


async def test_only_the_holder_of_a_profile_is_woken(harness: QueueHarness, live_redis: RedisServer) -> None:
    await harness.producer.enqueue([ticket("j1", profile_id="p1")])
    await harness.finish([await harness.one("w1", places(new=1, pages=1))])
    assert not await harness.take("w1", places(("acme", "p1", 1)))
    await _asleep(harness, "w1")
    async with open_harness(live_redis.port) as other:
        assert not await other.take("w2", everything())
        async with asyncio.TaskGroup() as tasks:
            holder = tasks.create_task(harness.consumer.wait("w1", 5))
            stranger = tasks.create_task(other.queue.consumer.wait("w2", 0.5))
            await blocked(harness.client, 2)
            await harness.producer.enqueue([ticket("j2", profile_id="p1")])
        assert holder.result().work
        assert not stranger.result().work


async def test_a_released_permit_wakes_a_worker_that_can_use_it(harness: QueueHarness, live_redis: RedisServer) -> None:
    await harness.producer.enqueue([ticket("j1", concurrency=1), ticket("j2", concurrency=1)])
    lease = await harness.one("w1")
    async with open_harness(live_redis.port) as other:
        assert not await other.take("w2")
        await _asleep(other, "w2")
        assert await _woken_by(other, "w2", harness.finish([lease]))


async def test_a_delayed_job_wakes_its_worker_when_it_is_due(harness: QueueHarness) -> None:
    assert not await harness.take("w1")
    started = time.monotonic()
    async with asyncio.timeout(3):
        await harness.producer.enqueue([ticket("j1", delay_ms=300)])
        while not (leases := await harness.take("w1")):
            await harness.consumer.wait("w1", 3)
    assert 0.25 < time.monotonic() - started < 1.0
    assert leases[0].job_id == "j1"


async def test_a_refill_wakes_a_throttled_tenants_worker(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"j{n}", rate=5.0, burst=1) for n in range(3)])
    started = time.monotonic()
    done: list[str] = []
    async with asyncio.timeout(5):
        while len(done) < 3:
            done += await harness.drain("w1")
            await harness.consumer.wait("w1", 1)
    assert 0.3 < time.monotonic() - started < 2.0


async def test_a_cancel_reaches_a_sleeping_worker_at_once(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1")])
    lease = await harness.one("w1")
    await harness.take("w1")
    await _asleep(harness, "w1")
    async with asyncio.timeout(1.5), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(harness.consumer.wait("w1", 5))
        await blocked(harness.client, 1)
        await harness.inspection.cancel(ref("j1"))
    assert waiting.result().control == (CancelNotice(ref("j1"), lease.token),)


async def test_a_claim_that_leaves_more_capacity_changes_what_is_waited_for(harness: QueueHarness) -> None:
    """Asleep with no place at all; then a page falls free, and the next push must not be missed."""
    await harness.producer.enqueue([ticket("j1")])
    await harness.take("w1", places(new=1, pages=1, limit=1))
    async with asyncio.timeout(1.5), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(harness.consumer.wait("w1", 5))
        await blocked(harness.client, 1)
        await harness.take("w1", places(("other", None, 1)))
        await harness.producer.enqueue([ticket("j2", "other")])
    assert waiting.result().work


async def test_nothing_is_missed_between_a_claim_and_the_wait(harness: QueueHarness) -> None:
    for n in range(30):
        assert not await harness.take("w1")
        await harness.producer.enqueue([ticket(f"j{n}")])  # in between
        async with asyncio.timeout(1):
            assert (await harness.consumer.wait("w1", 5)).work
        await harness.drain("w1")


async def test_a_cancelled_wait_leaves_the_connection_in_step(live_redis: RedisServer) -> None:
    """redis-py#2624: the reply of a cancelled command was read by the next one."""
    client, blocking = plain_client(live_redis.port), plain_client(live_redis.port)
    queue = QueueClient(Router(client, blocking))
    for n in range(10):
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(queue.consumer.wait("w1", 5))
            await asyncio.sleep(0.002 * n)
            waiting.cancel()
    assert await blocking.ping()
    await queue.producer.enqueue([ticket("j1")])
    assert (await queue.consumer.wait("w1", 1)).work
    await client.aclose()
    await blocking.aclose()


async def test_an_idle_worker_hardly_asks_redis(harness: QueueHarness) -> None:
    for n in range(50):
        await harness.producer.enqueue([ticket(f"j{n}", f"tenant-{n}")])
    await harness.drain("w1")
    await _asleep(harness, "w1")
    before = (await harness.client.info("stats"))["total_commands_processed"]
    assert not await harness.take("w1")
    assert not (await harness.consumer.wait("w1", 4)).work
    after = (await harness.client.info("stats"))["total_commands_processed"]
    # Counts what functions do inside as well, and the look at this number.
    assert (after - before) / 4 <= 2.0


async def _asleep(harness: QueueHarness, worker: str) -> None:
    """Until nothing that happened before wakes this worker any more."""
    while (await harness.consumer.wait(worker, 0.01)).work:
        pass


async def _woken_by(harness: QueueHarness, worker: str, event: Awaitable[object], seconds: float = 5) -> bool:
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(harness.consumer.wait(worker, seconds))
        await blocked(harness.client, 1)
        await event
    return waiting.result().work


async def test_a_wakeup_that_is_not_read_expires(harness: QueueHarness) -> None:
    """Said in one call: a worker that dies half-way leaves nothing that stays for ever."""
    await harness.client.fcall(*harness.function_call("wake_worker", worker="gone"))
    assert 0 < await harness.client.pttl("pw:{0}:control:gone") <= 45_000
