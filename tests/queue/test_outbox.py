"""An outbox entry stays until its result is delivered or given up, whichever worker dies."""

import asyncio
import time

from pw_queue import JobEnd, QueueHarness, open_harness, ref, ticket
from pw_servers import RedisServer

from pageworker_supervisor.queue.functions import unpacked

CALL = JobEnd(status="succeeded", result=b'{"n":1}', callback="https://n8n.test/hook")


async def _promise(harness: QueueHarness, *names: str) -> None:
    await harness.producer.enqueue([ticket(name) for name in names])
    for lease in await harness.take():
        assert await harness.consumer.finish(lease, **CALL)


async def test_a_promise_is_made_with_the_result_and_ends_with_its_delivery(harness: QueueHarness) -> None:
    await _promise(harness, "j1")
    (promise,) = await harness.outbox.take(10, 0)
    assert (promise.ref.job_id, promise.ref.tenant_id, promise.callback_url) == ("j1", "acme", "https://n8n.test/hook")
    assert (promise.result, promise.tries) == (b'{"n":1}', 0)
    assert await harness.outbox.take(10, 0) == []
    await harness.outbox.done([promise])
    await harness.outbox.done([promise])
    await harness.later(200_000)
    assert await _look(harness) == []


async def test_the_death_of_the_taker_loses_nothing(harness: QueueHarness, live_redis: RedisServer) -> None:
    await _promise(harness, "j1")
    (taken,) = await harness.outbox.take(10, 0)
    async with open_harness(live_redis.port) as other:
        assert await other.queue.outbox.take(10, 0) == []
        await harness.later(61_000)
    async with open_harness(live_redis.port) as other:
        (again,) = await other.queue.outbox.take(10, 0)
        assert again.id == taken.id
        await harness.outbox.later(taken, 10)  # the first one wakes up: it is not his any more
        await other.queue.outbox.later(again, 5_000)
        await harness.later(5_100)
    async with open_harness(live_redis.port) as other:
        (third,) = await other.queue.outbox.take(10, 0)
        assert third.tries == 1
        # By Redis' clock, which is 66 s ahead of this host's by now.
        assert 66 < time.monotonic() - third.since < 80


async def test_a_promise_that_is_given_up_leaves_the_result(harness: QueueHarness) -> None:
    listener = harness.client.pubsub(ignore_subscribe_messages=True)
    await listener.subscribe("pw:events:acme")
    await _promise(harness, "j1")
    (promise,) = await harness.outbox.take(10, 0)
    await harness.outbox.failed(promise, b"given up")
    await harness.later(200_000)
    assert await _look(harness) == []
    assert await harness.inspection.result(ref("j1")) == b'{"n":1}'
    async with asyncio.timeout(5):
        while (message := await listener.get_message(timeout=1)) is None:
            pass
    assert message["data"] == b"given up"
    await listener.aclose()


async def test_the_process_that_finishes_knows_of_the_outbox_entry_at_once(harness: QueueHarness) -> None:
    assert await harness.outbox.take(10, 0) == []
    async with asyncio.timeout(2), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(harness.outbox.take(10, 60_000))
        await _promise(harness, "j1")
    assert [promise.ref.job_id for promise in waiting.result()] == ["j1"]


async def test_more_than_is_asked_for_stays(harness: QueueHarness) -> None:
    await _promise(harness, *(f"j{n}" for n in range(7)))
    sizes = [len(await harness.outbox.take(3, 0)) for _ in range(3)]
    assert sizes == [3, 3, 1]


async def test_an_idle_outbox_hardly_asks_redis(harness: QueueHarness) -> None:
    assert await harness.outbox.take(10, 0) == []
    before = (await harness.client.info("commandstats"))["cmdstat_fcall"]["calls"]
    for _ in range(10):
        assert await harness.outbox.take(10, 20) == []
    after = (await harness.client.info("commandstats"))["cmdstat_fcall"]["calls"]
    assert after == before


async def _look(harness: QueueHarness) -> list[object]:
    reply = await harness.client.fcall(*harness.function_call("outbox_take", nonce="nonce", limit=10))
    return list(unpacked(reply)["entries"])
