"""One result a job, by every way out, and nothing half done."""

import asyncio
from typing import Any

import msgspec
from pw_queue import DONE, QueueBench, plain_client, ref, ticket
from pw_servers import RespProxy

from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.options import CancelNotice, FinishRequest, QueueOptions

HOOK = "https://n8n.test/hook"


async def test_a_result_is_on_stream_channel_and_key_once(desk: QueueBench) -> None:
    listener = desk.client.pubsub(ignore_subscribe_messages=True)
    await listener.subscribe("pw:results:acme", "pw:events:acme")
    await desk.engine.enqueue([ticket("j1")])
    lease = await desk.one()
    ending = FinishRequest(status="failed", result=b'{"status":"failed"}', events=(b'{"event":"blocked"}',))
    assert [await desk.engine.finish(lease, ending) for _ in range(3)] == [True, True, True]
    assert await desk.results() == [b'{"status":"failed"}']
    assert await desk.engine.result(ref("j1")) == b'{"status":"failed"}'
    assert 0 < await desk.client.pttl("pw:result:acme:j1") <= 86_400_000
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


async def test_a_lost_reply_of_finish_gives_the_same_answer(desk: QueueBench, proxied_redis: RespProxy) -> None:
    client = plain_client(proxied_redis.port)
    engine = QueueClient(client, client, options=desk.engine.options)
    await desk.engine.enqueue([ticket("j1")])
    lease = await desk.one()
    proxied_redis.drop_reply(command="FCALL")
    assert await engine.finish(lease, DONE) is True
    assert proxied_redis.dropped.is_set()
    assert len(await desk.results()) == 1
    await client.aclose()


async def test_a_lost_reply_of_claim_loses_no_job(desk: QueueBench, proxied_redis: RespProxy) -> None:
    client = plain_client(proxied_redis.port)
    engine = QueueClient(client, client, options=desk.engine.options)
    await desk.engine.enqueue([ticket(f"j{n}") for n in range(3)])
    proxied_redis.drop_reply(command="FCALL")
    from pw_queue import everything

    claimed = await engine.claim("w1", everything())
    assert proxied_redis.dropped.is_set()
    assert [lease.job_id for lease in claimed.leases] == ["j0", "j1", "j2"]
    await desk.finish(list(claimed.leases))
    await client.aclose()


async def test_the_stream_keeps_the_newest_results_only(desk: QueueBench) -> None:
    """redis#6199: what is trimmed must never be what was not read yet: jobs are not in a trimmed stream."""
    engine = QueueClient(desk.client, desk.client, options=QueueOptions(test_clock=True, stream_length=100))
    for first in range(0, 1000, 250):
        await engine.enqueue([ticket(f"j{n}") for n in range(first, first + 250)])
        await desk.client.delete("pw:{0}:claimed:w1")
        while leases := await desk.take():
            assert all(await engine.finish_many([(lease, DONE) for lease in leases]))
    assert 100 <= await desk.client.xlen("pw:{0}:results") < 300
    assert await engine.result(ref("j0")) is not None


async def test_a_queued_job_is_cancelled_at_once(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket(f"j{n}", concurrency=1) for n in range(5)])
    running = await desk.one()
    assert await desk.engine.cancel(ref("j3")) == "cancelled"
    lease = await desk.one()
    assert (lease.job_id, lease.verdict) == ("j3", "cancelled")
    await desk.finish([lease, running])
    assert await desk.drain() == ["j1", "j2", "j4"]
    assert await desk.engine.cancel(ref("j3")) == "finished"


async def test_a_delayed_job_is_cancelled_at_once(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("j1", delay_ms=10_000)])
    assert await desk.engine.cancel(ref("j1")) == "cancelled"
    lease = await desk.one()
    assert lease.verdict == "cancelled"
    await desk.finish([lease])
    await desk.later(20_000)
    assert await desk.drain() == []


async def test_a_running_job_is_cancelled_through_its_worker(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("j1")])
    lease = await desk.one()
    assert await desk.engine.cancel(ref("j1")) == "cancelling"
    assert await desk.engine.cancel(ref("j1", "other")) == "awaited", "that is another job"
    woken = await desk.engine.wait("w1", 1)
    assert woken.control == (CancelNotice(ref("j1"), lease.token),)
    assert (await desk.engine.heartbeat("w1", [lease])).cancelled == {lease.token}
    assert await desk.engine.retry(lease, 10, b"{}"), "a cancelled job does not run again"
    again = await desk.one()
    assert again.verdict == "cancelled"
    await desk.finish([again])


async def test_a_rejected_text_is_answered_once_and_kept(desk: QueueBench) -> None:
    listener = desk.client.pubsub(ignore_subscribe_messages=True)
    await listener.subscribe("pw:events:acme")
    raw, result = b'{"job_id":"j1","tenant_id":"acme","nope":1}', b'{"status":"rejected"}'
    said = [await desk.engine.reject(raw, "unknown field", ref("j1"), result, HOOK) for _ in range(2)]
    assert said == [True, True]
    assert await desk.results() == [result]
    assert await desk.engine.result(ref("j1")) == result
    (letter,) = (await desk.engine.dead_list()).letters
    assert (letter.job, letter.retryable) == (raw, False)
    assert msgspec.json.decode(letter.detail) == {"reason": "unknown field"}
    (promise,) = await desk.engine.outbox_take("w1", 10, 0)
    assert promise.callback_url == HOOK
    assert msgspec.json.decode(await _message(listener))["event"] == "rejected"
    await listener.aclose()


async def test_a_text_that_names_nobody_goes_to_the_dead_letters(desk: QueueBench) -> None:
    assert await desk.engine.reject(b"\xff{]", "not JSON") is False
    (letter,) = (await desk.engine.dead_list()).letters
    assert (letter.job, letter.job_id, letter.tenant_id) == (b"\xff{]", None, None)
    assert await desk.results() == []


async def test_a_rejected_copy_does_not_touch_the_job_that_has_its_id(desk: QueueBench) -> None:
    await desk.engine.enqueue([ticket("j1")])
    assert await desk.engine.reject(b"{}", "broken", ref("j1"), b"rejected") is False
    assert await desk.drain() == ["j1"]
    assert await desk.engine.reject(b"{ }", "broken", ref("j1"), b"rejected") is False
    assert await desk.results() == [DONE.result]
