"""One result a job, by every way out, and nothing half done."""

import asyncio
from typing import Any

import msgspec
from pw_queue import DONE, JobEnd, QueueHarness, finish_all, plain_client, ref, ticket
from pw_servers import RespProxy

from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.options import QueueOptions
from pageworker_supervisor.queue.wakeup import CancelNotice
from pageworker_supervisor.redis_client import Router

HOOK = "https://n8n.test/hook"


async def test_a_result_is_on_stream_channel_and_key_once(harness: QueueHarness) -> None:
    listener = harness.client.pubsub(ignore_subscribe_messages=True)
    await listener.subscribe("pw:results:acme", "pw:events:acme")
    await harness.producer.enqueue([ticket("j1")])
    lease = await harness.one()
    ending = JobEnd(status="failed", result=b'{"status":"failed"}', events=(b'{"event":"blocked"}',))
    assert [await harness.consumer.finish(lease, **ending) for _ in range(3)] == [True, True, True]
    assert await harness.results() == [b'{"status":"failed"}']
    assert await harness.inspection.result(ref("j1")) == b'{"status":"failed"}'
    assert 0 < await harness.client.pttl("pw:result:acme:j1") <= 86_400_000
    heard = [await _message(listener), await _message(listener)]
    assert heard == [b'{"status":"failed"}', b'{"event":"blocked"}']
    assert await listener.get_message(timeout=0.05) is None
    await listener.aclose()


async def _message(listener: Any) -> bytes:
    async with asyncio.timeout(5):
        while True:
            if message := await listener.get_message(timeout=1):
                data: bytes = message["data"]
                return data


async def test_a_lost_reply_of_finish_gives_the_same_answer(harness: QueueHarness, proxied_redis: RespProxy) -> None:
    client = plain_client(proxied_redis.port)
    queue = QueueClient(Router(client, client), options=harness.queue.options)
    await harness.producer.enqueue([ticket("j1")])
    lease = await harness.one()
    proxied_redis.drop_reply(command="FCALL")
    assert await queue.consumer.finish(lease, **DONE) is True
    assert proxied_redis.dropped.is_set()
    assert len(await harness.results()) == 1
    await client.aclose()


async def test_a_lost_reply_of_claim_loses_no_job(harness: QueueHarness, proxied_redis: RespProxy) -> None:
    client = plain_client(proxied_redis.port)
    queue = QueueClient(Router(client, client), options=harness.queue.options)
    await harness.producer.enqueue([ticket(f"j{n}") for n in range(3)])
    proxied_redis.drop_reply(command="FCALL")
    from pw_queue import everything

    claimed = await queue.consumer.claim("w1", everything())
    assert proxied_redis.dropped.is_set()
    assert [lease.job_id for lease in claimed.leases] == ["j0", "j1", "j2"]
    await harness.finish(list(claimed.leases))
    await client.aclose()


async def test_the_stream_keeps_the_newest_results_only(harness: QueueHarness) -> None:
    """redis#6199: what is trimmed must never be what was not read yet: jobs are not in a trimmed stream."""
    queue = QueueClient(
        Router(harness.client, harness.client), options=QueueOptions(test_clock=True, stream_length=100)
    )
    for first in range(0, 1000, 250):
        await queue.producer.enqueue([ticket(f"j{n}") for n in range(first, first + 250)])
        await harness.client.delete("pw:{0}:last_claim:w1")
        while leases := await harness.take():
            assert await finish_all(queue.consumer, leases, DONE)
    assert 100 <= await harness.client.xlen("pw:{0}:results") < 300
    assert await queue.inspection.result(ref("j0")) is not None


async def test_a_queued_job_is_cancelled_at_once(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket(f"j{n}", concurrency=1) for n in range(5)])
    running = await harness.one()
    assert await harness.inspection.cancel(ref("j3")) == "cancelled"
    lease = await harness.one()
    assert (lease.job_id, lease.ending) == ("j3", "cancelled")
    await harness.finish([lease, running])
    assert await harness.drain() == ["j1", "j2", "j4"]
    assert await harness.inspection.cancel(ref("j3")) == "finished"


async def test_a_delayed_job_is_cancelled_at_once(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1", delay_ms=10_000)])
    assert await harness.inspection.cancel(ref("j1")) == "cancelled"
    lease = await harness.one()
    assert lease.ending == "cancelled"
    await harness.finish([lease])
    await harness.later(20_000)
    assert await harness.drain() == []


async def test_a_running_job_is_cancelled_through_its_worker(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1")])
    lease = await harness.one()
    assert await harness.inspection.cancel(ref("j1")) == "cancelling"
    assert await harness.inspection.cancel(ref("j1", "other")) == "awaited", "that is another job"
    woken = await harness.consumer.wait("w1", 1)
    assert woken.control == (CancelNotice(ref("j1"), lease.token),)
    assert (await harness.consumer.heartbeat("w1", [lease])).cancelled == {lease.token}
    assert await harness.consumer.retry(lease, 10, b"{}"), "a cancelled job does not run again"
    again = await harness.one()
    assert again.ending == "cancelled"
    await harness.finish([again])


async def test_a_rejected_text_is_answered_once_and_kept(harness: QueueHarness) -> None:
    listener = harness.client.pubsub(ignore_subscribe_messages=True)
    await listener.subscribe("pw:events:acme")
    raw, result = b'{"job_id":"j1","tenant_id":"acme","nope":1}', b'{"status":"rejected"}'
    said = [await harness.producer.reject(raw, "unknown field", ref("j1"), result, HOOK) for _ in range(2)]
    assert said == [True, True]
    assert await harness.results() == [result]
    assert await harness.inspection.result(ref("j1")) == result
    (letter,) = (await harness.dead_letters.page()).letters
    assert (letter.job, letter.retryable) == (raw, False)
    assert msgspec.json.decode(letter.detail) == {"reason": "unknown field"}
    (promise,) = await harness.outbox.take(10, 0)
    assert promise.callback_url == HOOK
    assert msgspec.json.decode(await _message(listener))["event"] == "rejected"
    await listener.aclose()


async def test_a_text_without_a_reference_goes_to_the_dead_letters(harness: QueueHarness) -> None:
    assert await harness.producer.reject(b"\xff{]", "not JSON") is False
    (letter,) = (await harness.dead_letters.page()).letters
    assert (letter.job, letter.job_id, letter.tenant_id) == (b"\xff{]", None, None)
    assert await harness.results() == []


async def test_a_rejected_copy_does_not_touch_the_job_that_has_its_id(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1")])
    assert await harness.producer.reject(b"{}", "broken", ref("j1"), b"rejected") is False
    assert await harness.drain() == ["j1"]
    assert await harness.producer.reject(b"{ }", "broken", ref("j1"), b"rejected") is False
    assert await harness.results() == [DONE["result"]]
