"""The way in: once queued, the same id is the same job, whichever producer pushes it; what is kept of other texts."""

from pw_queue import QueueHarness, ticket
from pw_servers import RespProxy

from pageworker_supervisor.redis_client import Router

from pageworker_supervisor.queue import QueueClient  # isort: skip
import hashlib
import json

from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.producer import DIGESTED_INLINE_BYTES, described, push_text, rejected_event, whole_of


async def test_an_id_is_queued_once_in_one_call_and_over_several(harness: QueueHarness) -> None:
    assert await harness.producer.enqueue([ticket("j1"), ticket("j1"), ticket("j2")]) == [
        "queued",
        "duplicate",
        "queued",
    ]
    assert await harness.producer.enqueue([ticket("j2")]) == ["duplicate"]
    assert sorted(await harness.drain()) == ["j1", "j2"]


async def test_a_running_and_a_finished_job_are_still_the_same_job(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1")])
    lease = await harness.one()
    assert await harness.producer.enqueue([ticket("j1")]) == ["duplicate"]
    await harness.finish([lease])
    assert await harness.producer.enqueue([ticket("j1")]) == ["duplicate"]


async def test_the_id_is_free_again_when_its_result_is_gone(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1")])
    await harness.drain()
    ttl = await harness.client.pttl("pw:{0}:done:acme/j1")
    assert 0 < ttl <= 86_400_000
    await harness.client.delete("pw:{0}:done:acme/j1")  # what Redis does after that time
    assert await harness.producer.enqueue([ticket("j1")]) == ["queued"]


async def test_more_jobs_than_one_call_takes(harness: QueueHarness) -> None:
    tickets = [ticket(f"j{number}", f"t{number % 7}") for number in range(500)]
    assert await harness.producer.enqueue(tickets) == ["queued"] * 500
    assert len(await harness.drain()) == 500


async def test_a_delayed_job_runs_no_earlier_and_then_at_once(harness: QueueHarness) -> None:
    seconds, _ = await harness.client.time()
    await harness.producer.enqueue(
        [ticket("delay", delay_ms=5_000), ticket("instant", not_before_ms=(seconds + 8) * 1000), ticket("now")]
    )
    assert await harness.drain() == ["now"]
    await harness.later(4_000)
    assert await harness.drain() == []
    await harness.later(1_500)
    assert await harness.drain() == ["delay"]
    await harness.later(4_000)
    assert await harness.drain() == ["instant"]


async def test_an_expired_job_is_ended_even_from_the_middle_of_a_backlog(harness: QueueHarness) -> None:
    seconds, _ = await harness.client.time()
    backlog = [ticket(f"j{number}", concurrency=1) for number in range(20)]
    await harness.producer.enqueue([*backlog, ticket("late", concurrency=1, expires_at_ms=(seconds + 5) * 1000)])
    running = await harness.one()
    await harness.later(6_000)
    expired = await harness.one()
    assert (expired.job_id, expired.ending) == ("late", "expired")
    await harness.finish([running, expired])
    assert "late" not in await harness.drain()


async def test_a_started_job_does_not_expire(harness: QueueHarness) -> None:
    seconds, _ = await harness.client.time()
    await harness.producer.enqueue([ticket("j1", expires_at_ms=(seconds + 5) * 1000)])
    lease = await harness.one()
    await harness.later(10_000)
    assert await harness.consumer.retry(lease, 0, b"{}")
    assert (await harness.one()).ending is None


async def test_a_lost_reply_queues_nothing_twice(harness: QueueHarness, proxied_redis: RespProxy) -> None:
    from pw_queue import plain_client

    client = plain_client(proxied_redis.port)
    queue = QueueClient(Router(client, client), options=harness.queue.options)
    proxied_redis.drop_reply(command="FCALL")
    assert await queue.producer.enqueue([ticket("j1")]) == ["duplicate"], "said again, and known already"
    assert await harness.drain() == ["j1"]
    await client.aclose()


def test_a_text_that_is_kept_whole_needs_no_digest() -> None:
    assert whole_of(b"abc", 3) == {}


def test_a_cut_text_is_told_by_length_and_digest() -> None:
    assert whole_of(b"abcd", 3) == {
        "text": {"bytes": 4, "kept_bytes": 3, "sha256": hashlib.sha256(b"abcd").hexdigest()}
    }


async def test_a_huge_text_is_described_as_a_small_one_is() -> None:
    huge = b"x" * (DIGESTED_INLINE_BYTES + 1)
    push, told = await described(huge, "first", 16)
    assert (push, told) == (push_text(huge, "first"), whole_of(huge, 16))


def test_the_event_names_the_job_and_the_reason() -> None:
    event = json.loads(rejected_event(JobRef("acme", "j1"), "no such field"))
    assert (event["event"], event["tenant_id"], event["job_id"]) == ("rejected", "acme", "j1")
    assert event["detail"] == {"reason": "no such field"}
