"""Each caller gets its part, and all parts see one queue."""

from pw_queue import DONE, QueueHarness, everything, ref, ticket


async def test_a_job_passes_all_parts(harness: QueueHarness) -> None:
    queue = harness.queue
    assert await queue.producer.enqueue([ticket("j1")]) == ["queued"]
    (lease,) = (await queue.consumer.claim("w1", everything(1))).leases
    assert [view.state for view in (await queue.inspection.jobs()).jobs] == ["running"]
    assert await queue.consumer.finish(lease, **DONE)
    assert await queue.inspection.result(ref("j1")) == DONE["result"]
    assert (await queue.dead_letters.page()).letters == ()
    assert await queue.outbox.take(1, 0) == []


def test_functions_are_named_by_the_version_of_the_library(harness: QueueHarness) -> None:
    name = harness.queue.function("claim")
    assert name.startswith("pw_")
    assert name.endswith("_claim")
