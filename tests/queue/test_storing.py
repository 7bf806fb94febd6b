"""A job whose handler has ended and whose artifacts are still to be stored: it keeps its lease, and holds no permit."""

import asyncio
import json
from typing import Any

import pytest
from pw_queue import DONE, QueueHarness, ref, ticket

from pageworker_supervisor.queue.errors import CancelHolds
from pageworker_supervisor.queue.limits_table import LimitsTable
from pageworker_supervisor.queue.producer import QuotaLimits

ONE = QuotaLimits(concurrency=1)


@pytest.mark.parametrize("limit", ["tenant", "domain", "module", "fleet"])
async def test_its_permits_are_free_for_the_next_job(harness: QueueHarness, limit: str) -> None:
    if limit == "fleet":
        await harness.queue.limits.set(LimitsTable(fleet=ONE))
    if limit == "module":
        await harness.queue.limits.set(LimitsTable(modules={"m": ONE}))
    of_limit: dict[str, dict[str, Any]] = {
        "tenant": {"concurrency": 1},
        "domain": {"domain": "x.test", "domain_limits": ONE},
        "module": {"module": ("m", None)},
        "fleet": {},
    }
    await harness.producer.enqueue([ticket(name, **of_limit[limit]) for name in ("j1", "j2")])
    first = await harness.one()
    assert await harness.take() == []
    assert [await harness.consumer.store(first) for _ in range(2)] == [True, True], "said twice is said once"
    second = await harness.one()
    assert await harness.inspection.check_consistency() == []
    await harness.finish([first, second])
    assert len(await harness.results()) == 2
    assert await harness.inspection.check_consistency() == []


async def test_its_tenant_is_charged_for_its_page_and_not_for_the_store(harness: QueueHarness) -> None:
    await harness.stop_clock()
    await harness.producer.enqueue([ticket("j1")])
    lease = await harness.one()
    await harness.later(2_000)
    await harness.consumer.store(lease)
    mean = float(await harness.client.hget("pw:{0}:tenant:acme", "mean_ms"))
    await harness.later(9_000)
    await harness.consumer.retry(lease, 0, b"{}")
    assert float(await harness.client.hget("pw:{0}:tenant:acme", "mean_ms")) == mean
    (again,) = await harness.take()
    assert 2.0 <= again.page_seconds < 3.0


async def test_a_cancellation_holds(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1")])
    lease = await harness.one()
    await harness.consumer.store(lease)
    assert await harness.inspection.cancel(ref("j1")) == "cancelling"
    assert (await harness.consumer.heartbeat("w1", [lease])).cancelled == {lease.token}
    with pytest.raises(CancelHolds):
        await harness.consumer.finish(lease, **DONE)


async def test_its_worker_may_die(harness: QueueHarness) -> None:
    listener = harness.client.pubsub(ignore_subscribe_messages=True)
    await listener.subscribe("pw:events:acme")
    await harness.producer.enqueue([ticket("j1")])
    lease = await harness.one()
    await harness.consumer.store(lease)
    await harness.later(60_000)
    assert (await harness.consumer.reap()).count == 1
    assert not await harness.consumer.store(lease), "the lease is lost"
    (view,) = (await harness.inspection.jobs()).jobs
    assert (view.state, view.crashes) == ("delayed", 1)
    message = None
    async with asyncio.timeout(5):
        while message is None:
            message = await listener.get_message(timeout=1)
    assert json.loads(message["data"])["event"] == "worker_lost"
    await listener.aclose()
    assert await harness.inspection.check_consistency() == []
