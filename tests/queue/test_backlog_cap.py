"""A tenant has no more jobs, and no more bytes of them, than it may; it is told before that."""

import asyncio
import json
from typing import Any

from pw_queue import DONE, QueueHarness, ref, ticket

from pageworker_supervisor.queue.dead_letters import JobPatch
from pageworker_supervisor.queue.producer import BacklogCap, NewJob


def jobs(first: int, count: int, cap: BacklogCap, **fields: Any) -> list[NewJob]:
    """Of one tenant."""
    return [ticket(f"j{n}", backlog_cap=cap, **fields) for n in range(first, first + count)]


async def test_a_job_beyond_the_number_is_refused_until_another_ends(harness: QueueHarness) -> None:
    three = BacklogCap(jobs=3)
    assert await harness.producer.enqueue(jobs(0, 5, three)) == ["queued"] * 3 + ["full"] * 2
    assert await harness.producer.enqueue([ticket("other", "b", backlog_cap=three)]) == ["queued"]
    assert await harness.producer.enqueue(jobs(0, 1, three)) == ["duplicate"], "it is known, and counted already"
    lease = await harness.one()
    assert await harness.producer.enqueue(jobs(3, 1, three)) == ["full"], "a running job has no result yet"
    await harness.finish([lease])
    assert await harness.producer.enqueue(jobs(3, 2, three)) == ["queued", "full"]


async def test_a_job_beyond_the_bytes_is_refused(harness: QueueHarness) -> None:
    kilobyte = b'{"x":"' + b"x" * 1016 + b'"}'
    cap = BacklogCap(bytes=3 * 1024)
    assert await harness.producer.enqueue(jobs(0, 4, cap, body=kilobyte)) == ["queued"] * 3 + ["full"]
    assert await harness.producer.enqueue(jobs(9, 1, cap, body=b"x" * 4000)) == ["full"]
    await harness.finish([await harness.one()])
    assert await harness.producer.enqueue(jobs(4, 2, cap, body=kilobyte)) == ["queued", "full"]


async def test_a_refused_job_leaves_nothing_behind(harness: QueueHarness) -> None:
    assert await harness.producer.enqueue(jobs(0, 1, BacklogCap(bytes=1))) == ["full"]
    assert {key.decode() for key in await harness.client.keys("*")} <= {"pw:{0}:meta"}


async def test_what_has_its_result_counts_no_more(harness: QueueHarness) -> None:
    cap = BacklogCap(jobs=4)
    assert await harness.producer.enqueue(jobs(0, 4, cap)) == ["queued"] * 4
    assert await harness.inspection.cancel(ref("j3")) == "cancelled"
    leases = await harness.take()
    assert await harness.consumer.retry(leases[0], 10**6, b"{}")
    assert await harness.producer.enqueue(jobs(4, 1, cap)) == ["full"], "a retried job still has no result"
    for lease in leases[1:]:
        assert await harness.consumer.finish(lease, **DONE)
    assert await harness.producer.enqueue(jobs(4, 4, cap)) == ["queued"] * 3 + ["full"]


async def test_an_operator_may_always_retry_a_dead_letter(harness: QueueHarness) -> None:
    cap = BacklogCap(jobs=1)
    await harness.producer.enqueue(jobs(0, 1, cap))
    assert await harness.consumer.finish(await harness.one(), status="failed", result=b"{}", dead_letter=b"{}")
    assert await harness.producer.enqueue(jobs(1, 1, cap)) == ["queued"]
    (letter,) = (await harness.dead_letters.page()).letters
    assert await harness.dead_letters.retry([letter.id], JobPatch()) == {letter.id: "queued"}


async def test_a_tenant_is_told_once_each_time_its_backlog_becomes_nearly_full(harness: QueueHarness) -> None:
    ten = BacklogCap(jobs=10)
    events = harness.client.pubsub(ignore_subscribe_messages=True)
    await events.subscribe("pw:events:acme")
    await harness.producer.enqueue(jobs(0, 9, ten))  # told at 8
    await harness.finish([await harness.one() for _ in range(3)])  # 6
    await harness.producer.enqueue(jobs(10, 2, ten))  # 7, 8: it was never below 70 %
    await harness.finish([await harness.one() for _ in range(3)])  # 5
    await harness.producer.enqueue(jobs(20, 3, ten))  # told again at 8
    await harness.client.publish("pw:events:acme", b'{"event":"over"}')
    told = []
    async with asyncio.timeout(10):
        while (event := json.loads((await anext(events.listen()))["data"]))["event"] != "over":
            told.append(event)
    await events.aclose()
    assert [(event["event"], event["tenant_id"], event["detail"]["jobs"]) for event in told] == [
        ("queue_limit", "acme", 8),
        ("queue_limit", "acme", 8),
    ]
    assert told[0]["detail"]["backlog_jobs"] == 10


async def test_bytes_that_an_older_release_did_not_count_are_forgotten_with_the_last_job(harness: QueueHarness) -> None:
    await harness.producer.enqueue(jobs(0, 1, BacklogCap()))
    await harness.client.hincrby("pw:{0}:tenant:acme", "bytes", 10**9)
    await harness.finish([await harness.one()])
    assert await harness.client.hget("pw:{0}:tenant:acme", "bytes") is None
