"""What attempts used of the network: kept in the job's record, across every end of a lease."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from pw_queue import QueueHarness, ticket

from pageworker_supervisor.contract.traffic import MAX_COUNT, NO_TRAFFIC, Traffic
from pageworker_supervisor.queue.claim import Lease
from pageworker_supervisor.queue.consumer import JobConsumer

USED = Traffic(requests=3, bytes_in=5_000_000_000, bytes_out=700)
End = Callable[[JobConsumer, Lease], Coroutine[Any, Any, bool]]
ENDS: dict[str, End] = {
    "retry": lambda consumer, lease: consumer.retry(lease, 0, b"{}", traffic=USED),
    "crash": lambda consumer, lease: consumer.crash(lease, 0, b"{}", traffic=USED),
    "defer": lambda consumer, lease: consumer.defer(lease, 0, "", traffic=USED),
    "requeue": lambda consumer, lease: consumer.requeue(lease, traffic=USED),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_every_end_of_a_lease_adds_what_it_used_once(harness: QueueHarness, end: End) -> None:
    await harness.producer.enqueue([ticket("j0")])
    first = await harness.one()
    assert first.traffic == NO_TRAFFIC
    assert await end(harness.consumer, first)
    assert await end(harness.consumer, first), "the reply was lost, so the call is repeated"
    second = await harness.one()
    assert second.traffic == USED
    assert await harness.consumer.requeue(second, traffic=Traffic(1, 1, 1))
    assert (await harness.one()).traffic == USED + Traffic(1, 1, 1)
    assert await harness.inspection.check_consistency() == []


async def test_a_worker_that_is_lost_leaves_what_its_last_heartbeat_said(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j0")])
    assert await harness.consumer.requeue(await harness.one(), traffic=USED)
    lease = await harness.one()
    for bytes_in in (10, 20):
        await harness.consumer.heartbeat("w1", [lease], (), {lease.token: Traffic(1, bytes_in, 5)})
    (listed,) = (await harness.inspection.jobs()).jobs
    assert (listed.requests, listed.bytes_in, listed.bytes_out) == (4, USED.bytes_in + 20, 705)
    await harness.later(60_000)
    assert (await harness.consumer.reap()).count == 1
    await harness.later(60_000)
    assert (await harness.one()).traffic == USED + Traffic(1, 20, 5)


async def test_a_lease_that_reports_its_end_is_not_counted_by_its_heartbeat_too(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j0")])
    lease = await harness.one()
    await harness.consumer.heartbeat("w1", [lease], (), {lease.token: Traffic(1, 20, 5)})
    assert await harness.consumer.requeue(lease, traffic=USED)
    second = await harness.one()
    assert second.traffic == USED
    await harness.later(60_000)
    await harness.consumer.reap()
    await harness.later(60_000)
    assert (await harness.one()).traffic == USED


async def test_a_heartbeat_of_a_lost_lease_changes_nothing(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j0")])
    first = await harness.one()
    assert await harness.consumer.requeue(first)
    second = await harness.one()
    reply = await harness.consumer.heartbeat("w1", [first], (), {first.token: USED})
    assert reply.lost == {first.token}
    assert await harness.consumer.requeue(second)
    assert (await harness.one()).traffic == NO_TRAFFIC


async def test_absurd_counts_stay_exact_and_end_no_call(harness: QueueHarness) -> None:
    """A gateway that was taken over may report anything."""
    most = Traffic(MAX_COUNT, MAX_COUNT, MAX_COUNT)
    await harness.producer.enqueue([ticket("j0")])
    for _ in range(2):
        assert await harness.consumer.requeue(await harness.one(), traffic=most)
    assert (await harness.one()).traffic == most
