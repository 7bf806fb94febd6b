"""Batches on a real Redis: what counts, what completes them, and what does neither twice."""

import json
from typing import Any

import msgspec
import pytest
from pw_queue import DONE, QueueHarness, everything, ref, ticket

from pageworker_supervisor.contract.batch import BatchRef, BatchSpec
from pageworker_supervisor.queue.batches import BatchCancelled, BatchRetried, BatchView
from pageworker_supervisor.queue.dead_letters import JobPatch
from pageworker_supervisor.queue.outbox import OutboxEntry
from pageworker_supervisor.queue.producer import Enqueued

HOOK = "https://n8n.test/hook"
NIGHTLY = BatchRef("acme", "nightly")


def text(job: str) -> bytes:
    return msgspec.json.encode(
        {"job_id": job, "tenant_id": "acme", "endpoint_module": "shop.product", "batch_id": "nightly"}
    )


async def opened(harness: QueueHarness, **spec: Any) -> None:
    assert (
        await harness.queue.batches.open("acme", BatchSpec(batch_id="nightly", callback_url=HOOK, **spec)) == "opened"
    )


async def push(harness: QueueHarness, *jobs: str, **fields: Any) -> list[Enqueued]:
    return await harness.producer.enqueue(
        [ticket(job, batch_id="nightly", body=text(job), **fields) for job in jobs], "r1"
    )


async def end(harness: QueueHarness, job: str, status: str = "succeeded") -> None:
    """Claim everything, end this job so, and give the others back."""
    leases = await harness.take()
    for lease in leases:
        if lease.job_id == job:
            letter = b"{}" if status in ("failed", "dead") else None
            for _ in range(2):  # a repeated call
                assert await harness.consumer.finish(lease, status, b"{}", dead_letter=letter)
        else:
            assert await harness.consumer.requeue(lease)


async def shown(harness: QueueHarness) -> BatchView:
    view = await harness.queue.batches.show(NIGHTLY)
    assert view is not None
    return view


async def counted(harness: QueueHarness) -> tuple[str, dict[str, int]]:
    """The state, and the counts that are not zero."""
    view = await shown(harness)
    return view.state, {name: count for name, count in view.counts.items() if count}


async def completions(harness: QueueHarness) -> list[tuple[OutboxEntry, dict[str, Any]]]:
    """The promises to tell of a completion."""
    taken = await harness.outbox.take(100, 0)
    for entry in taken:
        await harness.outbox.later(entry, 1)
    await harness.later(61_000)
    return [(entry, json.loads(entry.result)) for entry in taken if entry.is_batch]


async def test_a_batch_with_a_size_completes_once_with_its_last_job(harness: QueueHarness) -> None:
    await opened(harness, size=3)
    assert await push(harness, "j1", "j2") == ["queued", "queued"]
    assert await push(harness, "j1", "j2") == ["duplicate", "duplicate"]
    assert await counted(harness) == ("open", {"waiting": 2})
    await end(harness, "j1")
    assert await push(harness, "j1", "j3", "j4") == ["duplicate", "queued", "batch_full"]
    assert await counted(harness) == ("closed", {"waiting": 2, "succeeded": 1})
    leases = await harness.take()
    assert await counted(harness) == ("closed", {"running": 2, "succeeded": 1})
    assert await harness.consumer.finish(leases[0], "blocked", b"{}")
    assert not await completions(harness)
    assert await harness.consumer.finish(leases[1], **DONE)
    assert await harness.consumer.finish(leases[1], **DONE)
    state, counts = await counted(harness)
    assert (state, counts) == ("complete", {"succeeded": 2, "blocked": 1})
    ((entry, body),) = await completions(harness)
    assert (entry.idempotency_key, entry.callback_url, entry.ref) == ("acme:batch:nightly", HOOK, ref("nightly"))
    zero = dict.fromkeys(body["counts"], 0)
    assert body["counts"] == zero | counts
    assert (body["kind"], body["batch_id"], body["tenant_id"]) == ("batch", "nightly", "acme")
    assert (body["reason"], body["round"], body["job_count"], body["size"]) == ("all_ended", 1, 3, 3)
    assert await push(harness, "j5") == ["batch_full"]
    rows = (await harness.queue.batches.jobs(NIGHTLY)).jobs
    assert [(row.job_id, row.status) for row in rows] in (
        [("j1", "succeeded"), ("j2", "blocked"), ("j3", "succeeded")],
        [("j1", "succeeded"), ("j2", "succeeded"), ("j3", "blocked")],
    )


async def test_a_batch_without_a_size_completes_after_it_was_closed(harness: QueueHarness) -> None:
    listener = harness.client.pubsub()
    await listener.subscribe("pw:events:acme")
    await opened(harness)
    assert await harness.queue.batches.open("acme", BatchSpec(batch_id="nightly", callback_url=HOOK)) == "same"
    assert await harness.queue.batches.open("acme", BatchSpec(batch_id="nightly", size=2)) == "exists"
    await push(harness, "j1")
    await end(harness, "j1")
    assert await counted(harness) == ("open", {"succeeded": 1})
    for _ in range(2):
        assert await harness.queue.batches.close(NIGHTLY)
    assert (await shown(harness)).reason == "all_ended"
    assert await push(harness, "j2") == ["batch_closed"]
    events = [
        json.loads(m["data"])
        for m in [await listener.get_message(timeout=1) for _ in range(3)]
        if m and m["type"] == "message"
    ]
    assert [(e["event"], e["batch_id"], e["tenant_id"], e["detail"]["reason"]) for e in events] == [
        ("batch_done", "nightly", "acme", "all_ended")
    ]
    assert len(await completions(harness)) == 1
    assert not await harness.queue.batches.close(BatchRef("acme", "other"))
    await listener.aclose()


async def test_the_first_failure_completes_and_later_ends_are_counted(harness: QueueHarness) -> None:
    await opened(harness, complete_on="first_failure", deadline_seconds=60)
    await push(harness, "j1", "j2", "j3")
    await end(harness, "j1", "cancelled")
    assert (await shown(harness)).state == "open", "a cancelled job is no failure"
    await end(harness, "j2", "failed")
    assert (await shown(harness)).reason == "first_failure"
    await end(harness, "j3", "failed")
    assert await counted(harness) == ("complete", {"cancelled": 1, "failed": 2})
    ((_, body),) = await completions(harness)
    assert (body["counts"]["failed"], body["counts"]["waiting"]) == (1, 1)


async def test_the_deadline_completes_once_and_later_ends_are_counted(harness: QueueHarness) -> None:
    await opened(harness, deadline_seconds=60)
    await push(harness, "j1", "j2")
    await harness.later(59_000)
    await harness.consumer.reap()
    assert (await shown(harness)).state == "open"
    await harness.later(1_000)
    for _ in range(2):
        await harness.consumer.reap()
    assert (await shown(harness)).reason == "deadline"
    await end(harness, "j1")
    assert await counted(harness) == ("complete", {"waiting": 1, "succeeded": 1})
    assert len(await completions(harness)) == 1
    await end(harness, "j2")


async def test_a_rejected_text_counts_and_its_corrected_push_takes_its_place(harness: QueueHarness) -> None:
    await opened(harness, size=2)
    for _ in range(2):
        await harness.producer.reject(b"{", "why", ref("j1"), b"{}", None, "", batch="nightly")
    await harness.producer.reject(b"{ ", "why", ref("j1"), b"{}", None, "r2", batch="nightly")
    assert await counted(harness) == ("open", {"rejected": 1})
    await push(harness, "j2")
    assert await counted(harness) == ("closed", {"waiting": 1, "rejected": 1})
    await harness.producer.reject(b"{  ", "why", ref("j3"), b"{}", None, "r2", batch="nightly")
    assert await push(harness, "j1") == ["queued"]
    assert await counted(harness) == ("closed", {"waiting": 2})
    (lease,) = [lease for lease in await harness.take() if lease.job_id == "j1"]
    assert await harness.consumer.finish(lease, "rejected", b"{}", dead_letter=b"{}")
    assert await harness.producer.enqueue([ticket("j1", batch_id="nightly", body=text("j1") + b" ")], "r2") == [
        "queued"
    ], "the module was put right"
    await harness.consumer.disown_worker("w1")
    await harness.later(10_000)
    await end(harness, "j1")
    await end(harness, "j2")
    assert await counted(harness) == ("complete", {"succeeded": 2})
    assert len(await completions(harness)) == 1


async def test_a_rejection_can_be_the_last_end(harness: QueueHarness) -> None:
    await opened(harness, size=1)
    assert await harness.producer.reject(b"{", "why", ref("j1"), b"{}", None, "r", batch="nightly")
    assert await counted(harness) == ("complete", {"rejected": 1})
    assert await push(harness, "j1") == ["batch_closed"]


async def test_a_job_of_an_unknown_batch_is_refused_and_leaves_nothing(harness: QueueHarness) -> None:
    assert await push(harness, "j1") == ["batch_unknown"]
    assert not await harness.client.keys("pw:{0}:*batch*")
    assert not await harness.take()


async def test_a_cancelled_batch_takes_no_more_and_ends(harness: QueueHarness) -> None:
    await opened(harness)
    await push(harness, *(f"j{number}" for number in range(600)))
    (running,) = await harness.take(capacity=everything(1))
    assert await harness.queue.batches.cancel(NIGHTLY) == BatchCancelled(600)
    assert await push(harness, "late") == ["batch_closed"]
    assert await counted(harness) == ("closed", {"waiting": 599, "running": 1})
    assert await harness.consumer.finish(running, "cancelled", b"{}")
    while leases := await harness.take(capacity=everything(64)):
        for lease in leases:
            assert await harness.consumer.finish(lease, lease.ending or "", b"{}")
    assert await counted(harness) == ("complete", {"cancelled": 600})
    ((_, body),) = await completions(harness)
    assert body["reason"] == "cancelled"
    assert await harness.queue.batches.cancel(NIGHTLY) == BatchCancelled(0)
    assert await harness.queue.batches.cancel(BatchRef("acme", "other")) is None


async def test_a_cancellation_whose_caller_is_gone_is_continued(harness: QueueHarness) -> None:
    await opened(harness)
    await push(harness, *(f"j{number}" for number in range(600)))
    await harness.client.fcall(*harness.function_call("batch_cancel", ref="acme/nightly"))
    assert await harness.client.llen("pw:{0}:ending") == 256
    await harness.later(6_000)
    await harness.consumer.reap()
    assert await harness.client.llen("pw:{0}:ending") == 600
    await harness.client.flushall()


async def test_a_retry_is_a_further_round_with_a_completion_of_its_own(harness: QueueHarness) -> None:
    await opened(harness, size=3)
    await push(harness, "j1", "j2", "j3")
    for job, status in (("j1", "failed"), ("j2", "succeeded"), ("j3", "dead")):
        await end(harness, job, status)
    assert len(await completions(harness)) == 1
    assert await harness.queue.batches.retry(NIGHTLY) == BatchRetried(2, 0)
    assert await counted(harness) == ("closed", {"waiting": 2, "succeeded": 1})
    assert await harness.queue.batches.retry(NIGHTLY) == BatchRetried(0, 0)
    await end(harness, "j1")
    await end(harness, "j3", "failed")
    told = await completions(harness)
    assert [(entry.idempotency_key, body["round"], body["counts"]["failed"]) for entry, body in told] == [
        ("acme:batch:nightly", 1, 1),
        ("acme:batch:nightly#2", 2, 1),
    ]
    (letter,) = (await harness.dead_letters.page()).letters
    assert (await harness.dead_letters.retry([letter.id], JobPatch()))[letter.id] == "queued"
    assert await counted(harness) == ("complete", {"waiting": 1, "succeeded": 2}), "one job alone begins no round"
    await end(harness, "j3")
    assert await counted(harness) == ("complete", {"succeeded": 3})
    assert len(await completions(harness)) == 2


async def test_a_retry_whose_caller_is_gone_can_be_repeated(harness: QueueHarness) -> None:
    await opened(harness, size=2)
    await push(harness, "j1", "j2")
    for job in ("j1", "j2"):
        await end(harness, job, "failed")
    await harness.client.fcall(*harness.function_call("batch_retry", ref="acme/nightly"))
    first = (await harness.dead_letters.page()).letters[0]
    await harness.dead_letters.retry([first.id])
    assert first.job_id is not None
    await end(harness, first.job_id)
    assert (await shown(harness)).state == "open", "the other one is still to be queued"
    assert await harness.queue.batches.retry(NIGHTLY) == BatchRetried(1, 0)
    await harness.drain()
    assert await counted(harness) == ("complete", {"succeeded": 2})
    assert len(await completions(harness)) == 2


async def test_a_complete_batch_goes_with_its_time_and_open_ones_stay(harness: QueueHarness) -> None:
    await opened(harness, size=1)
    await push(harness, "j1")
    await end(harness, "j1")
    assert (await harness.queue.batches.page(tenant_id="acme")).batches[0].ref == NIGHTLY
    ttls = [await harness.client.ttl(key) for key in await harness.client.keys("pw:{0}:batch_*")]
    assert len(ttls) == 2
    assert all(0 < ttl <= 86_400 for ttl in ttls)
    await harness.client.delete(
        "pw:{0}:batch:acme/nightly", "pw:{0}:batch_jobs:acme/nightly", "pw:{0}:batch_ends:acme/nightly"
    )
    await harness.later(86_400_000)
    await harness.consumer.reap()
    assert await harness.client.keys("pw:{0}:batch*") == []
    await opened(harness)
    await harness.queue.batches.close(NIGHTLY)
    assert (await shown(harness)).state == "complete", "an empty batch ends when it is closed"


@pytest.mark.parametrize("count", [5])
async def test_batches_are_listed_by_page(harness: QueueHarness, count: int) -> None:
    for number in range(count):
        for tenant in ("acme", "zoo"):
            await harness.queue.batches.open(tenant, BatchSpec(batch_id=f"b{number}"))
    found, cursor = [], None
    while True:
        page = await harness.queue.batches.page(2, cursor, "acme")
        found += [view.batch_id for view in page.batches]
        if (cursor := page.cursor) is None:
            break
    assert found == [f"b{number}" for number in range(count)]
    assert len((await harness.queue.batches.page(100)).batches) == 2 * count
