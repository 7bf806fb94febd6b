"""The newest step of a job that runs, on a real Redis: record, event, and whose call counts."""

import asyncio
import json

from pw_queue import QueueHarness, ticket

from pageworker_supervisor.contract.job import JobRef

STEP = b'{"number":3,"text":"pay"}'
KEY = "pw:{0}:job:acme/j1"


async def test_it_is_kept_while_the_lease_lasts_and_published(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1")])
    lease = await harness.one()
    async with harness.client.pubsub() as channel, asyncio.timeout(10):
        await channel.subscribe("pw:events:acme")
        heard = channel.listen()
        await anext(heard)
        assert await harness.consumer.progress(lease, STEP, b'{"event":"progress"}')
        assert json.loads((await anext(heard))["data"]) == {"event": "progress"}
    details = await harness.inspection.details(JobRef("acme", "j1"))
    assert details is not None
    assert details.progress == {"number": 3, "text": "pay"}
    assert await harness.consumer.retry(lease, 0, b"{}")
    assert await harness.client.hget(KEY, "progress") is None
    assert not await harness.consumer.progress(lease, STEP, b"{}"), "the lease is over"
    second = await harness.one()
    assert not await harness.consumer.progress(lease, STEP, b"{}"), "another lease has the job"
    assert await harness.client.hget(KEY, "progress") is None
    await harness.finish([second])
    assert not await harness.consumer.progress(second, STEP, b"{}"), "the job has ended"
    assert await harness.client.exists(KEY) == 0
