"""Reports of workers in Redis, and stored drains: who gets which, and what is removed."""

import json
from typing import Any

import pytest
from pw_queue import QueueHarness
from pw_worker.reports import worker_report

from pageworker_supervisor.contract.worker_report import WorkerReport
from pageworker_supervisor.queue.fleet_workers import (
    EVERY_WORKER,
    DrainStored,
    FleetWorkers,
    StoredDrain,
    drain_of_tag,
    drain_of_worker,
)

REPORTS, DRAINS = "pw:{0}:worker_reports", "pw:{0}:drains"


async def store(
    workers: FleetWorkers, name: str, seconds: float | None = 60.0, drain_id: str = "d1", **more: Any
) -> DrainStored:
    values: dict[str, Any] = {"else_seconds": 30.0, "who": "me", "reason": "because", "cancel": False, **more}
    return await workers.store_drain(name, drain_id, seconds, **values)


async def drain_of(workers: FleetWorkers, worker: WorkerReport) -> StoredDrain | None:
    """What the worker learns with its next report."""
    return (await workers.report(worker)).drain


async def test_reports_are_listed_with_the_time_on_the_clock_of_redis(harness: QueueHarness) -> None:
    workers = harness.queue.workers
    await workers.report(worker_report("a", "eu", "large"))
    await harness.later(5000)
    reply = await workers.report(worker_report("b"))
    await harness.consumer.register_worker("old.1")
    page = await workers.page()
    found = {worker.name: worker for worker in page.workers}
    assert list(found) == ["a.1", "b.1", "old.1"]
    assert found["old.1"].report is None
    first, second = found["a.1"].report, found["b.1"].report
    assert first is not None
    assert second is not None
    assert first.tags == ("eu", "large")
    assert second.reported_at == reply.now_ms / 1000
    assert second.reported_at - first.reported_at >= 5
    assert page.now >= second.reported_at
    assert page.position is None


async def test_pages_list_everyone_once(harness: QueueHarness) -> None:
    workers = harness.queue.workers
    for number in range(7):
        await workers.report(worker_report(f"w{number}"))
    # Pages of two, even if all were heard of in the same millisecond but one.
    page = await workers.page(count=2)
    names = {worker.name for worker in page.workers}
    while page.position is not None:
        page = await workers.page(page.position, 2)
        names |= {worker.name for worker in page.workers}
    assert names == {f"w{number}.1" for number in range(7)}
    assert len((await workers.everyone()).workers) == 7


async def test_a_worker_that_leaves_or_is_silent_has_no_report(harness: QueueHarness) -> None:
    workers = harness.queue.workers
    for worker_id in ("a", "b", "c"):
        await workers.report(worker_report(worker_id))
    await workers.withdraw("a.1")
    await harness.consumer.forget_worker("b.1")
    assert await harness.client.hkeys(REPORTS) == [b"c.1"]
    await harness.later(181_000)
    await workers.report(worker_report("d"))
    await harness.consumer.reap()
    assert await harness.client.hkeys(REPORTS) == [b"d.1"]


async def test_a_drain_is_for_one_worker_a_tag_or_all(harness: QueueHarness) -> None:
    workers = harness.queue.workers
    berlin, paris, tokyo = worker_report("berlin", "eu", "large"), worker_report("paris", "eu"), worker_report("tokyo")
    for worker in (berlin, paris, tokyo):
        assert await drain_of(workers, worker) is None
    assert set((await store(workers, drain_of_tag("eu"))).workers) == {"berlin.1", "paris.1"}
    assert (await store(workers, drain_of_worker("berlin"), 20.0)).workers == ("berlin.1",)
    found = await drain_of(workers, berlin)
    assert found is not None
    assert (found.name, found.who, found.reason) == ("worker:berlin", "me", "because"), "the earliest deadline"
    found = await drain_of(workers, paris)
    assert found is not None
    assert found.name == "tag:eu"
    assert await drain_of(workers, tokyo) is None
    await store(workers, EVERY_WORKER)
    assert await drain_of(workers, tokyo) is not None
    for name in (drain_of_tag("eu"), drain_of_worker("berlin"), EVERY_WORKER):
        assert (await workers.lift_drain(name)).lifted
        assert not (await workers.lift_drain(name)).lifted
    for worker in (berlin, paris, tokyo):
        assert await drain_of(workers, worker) is None


async def test_a_drain_is_for_workers_that_start_later(harness: QueueHarness) -> None:
    workers = harness.queue.workers
    await workers.report(worker_report("a"))
    await store(workers, drain_of_worker("a"))
    await workers.withdraw("a.1")
    assert await drain_of(workers, worker_report("a", run="2")) is not None


async def test_nothing_is_stored_for_an_unknown_worker(harness: QueueHarness) -> None:
    workers = harness.queue.workers
    for name in (drain_of_worker("a"), drain_of_tag("eu")):
        assert (await store(workers, name)).state == "unknown"
    assert (await workers.page()).drains == ()
    assert (await store(workers, EVERY_WORKER)).state == "stored", "workers that start later are drained"
    assert [drain.name for drain in (await workers.page()).drains] == [EVERY_WORKER]


async def test_a_second_call_keeps_the_deadline_or_sets_another(harness: QueueHarness) -> None:
    workers = harness.queue.workers
    first = await store(workers, EVERY_WORKER)
    assert first.state == "stored"
    assert first.drain is not None
    assert first.drain.deadline_ms == first.now_ms + 60_000
    await harness.later(1000)
    again = await store(workers, EVERY_WORKER)
    assert (again.state, again.drain) == ("stored", first.drain), "a repeated call"
    kept = await store(workers, EVERY_WORKER, None, "d2", who="you")
    assert (kept.state, kept.drain) == ("kept", first.drain)
    moved = await store(workers, EVERY_WORKER, 10.0, "d3", cancel=True)
    assert moved.drain is not None
    assert (moved.state, moved.drain.cancel, moved.drain.since_ms) == ("stored", True, first.drain.since_ms)
    assert moved.drain.deadline_ms == moved.now_ms + 10_000
    await workers.lift_drain(EVERY_WORKER)
    other = await store(workers, EVERY_WORKER, None, "d4")
    assert other.drain is not None
    assert other.drain.deadline_ms == other.now_ms + 30_000


async def test_workers_are_told_to_report(harness: QueueHarness) -> None:
    workers = harness.queue.workers
    await workers.report(worker_report("a", "eu"))
    await workers.report(worker_report("b"))
    await store(workers, drain_of_tag("eu"))
    assert await harness.client.lrange("pw:{0}:control:a.1", 0, -1) == [b"report"]
    assert await harness.client.exists("pw:{0}:control:b.1") == 0
    await workers.lift_drain(drain_of_tag("eu"))
    assert await harness.client.lrange("pw:{0}:control:a.1", 0, -1) == [b"report", b"report"]


@pytest.mark.parametrize("text", [b"", b"\xff", b"[]", b'{"id": 3}', b'{"deadline_ms": "soon"}'])
async def test_what_was_edited_by_hand_and_is_no_drain_does_not_count(harness: QueueHarness, text: bytes) -> None:
    workers = harness.queue.workers
    await harness.client.hset(DRAINS, EVERY_WORKER, text)
    await harness.client.hset(REPORTS, "x.1", text)
    assert await drain_of(workers, worker_report("a")) is None
    assert (await workers.page()).drains == ()
    assert (await store(workers, drain_of_worker("x"))).state == "unknown"


async def test_a_page_and_a_report_of_a_real_value_are_json(harness: QueueHarness) -> None:
    await harness.queue.workers.report(worker_report("a"))
    stored = json.loads((await harness.client.hget(REPORTS, "a.1")) or b"")
    assert stored["tags"] == []
    assert stored["draining_until"] is None


DAY_MS = 24 * 3_600_000


async def names_after_reap(harness: QueueHarness, days: float) -> list[str]:
    """Names of the stored drains after these days, and a reap."""
    await harness.later(round(days * DAY_MS))
    await harness.consumer.reap()
    return sorted(drain.name for drain in (await harness.queue.workers.page()).drains)


async def test_the_drain_of_a_worker_that_is_gone_for_a_month_is_removed(harness: QueueHarness) -> None:
    workers = harness.queue.workers
    for worker_id in ("a", "b"):
        await workers.report(worker_report(worker_id, "eu"))
    names = [EVERY_WORKER, drain_of_tag("eu"), drain_of_worker("a")]
    for name in names:
        await store(workers, name)
    assert await names_after_reap(harness, 29) == names, "it may come back"
    assert await drain_of(workers, worker_report("a", run="2")) is not None
    assert await names_after_reap(harness, 29) == names, "it was here a month ago"
    assert await names_after_reap(harness, 2) == [EVERY_WORKER, drain_of_tag("eu")], "these are for workers to come"


async def test_the_drain_of_a_worker_that_reports_stays(harness: QueueHarness) -> None:
    workers = harness.queue.workers
    await workers.report(worker_report("a"))
    await store(workers, drain_of_worker("a"))
    await harness.later(40 * DAY_MS)
    await workers.report(worker_report("a"))
    assert await names_after_reap(harness, 0) == [drain_of_worker("a")]
    # A worker of an earlier version leaves no note: its report counts.
    text = json.loads((await harness.client.hget(DRAINS, drain_of_worker("a"))) or b"")
    del text["seen_ms"]
    await harness.client.hset(DRAINS, drain_of_worker("a"), json.dumps(text))
    assert await names_after_reap(harness, 0) == [drain_of_worker("a")]


async def test_a_drain_notes_its_worker_once_per_hour(harness: QueueHarness) -> None:
    workers = harness.queue.workers
    await workers.report(worker_report("a"))
    await store(workers, drain_of_worker("a"))
    texts = set()
    for minutes in (0, 50, 20, 20, 20):
        await harness.later(minutes * 60_000)
        await workers.report(worker_report("a"))
        texts.add(await harness.client.hget(DRAINS, drain_of_worker("a")))
    assert len(texts) == 2, "as it was stored, and after the first full hour"


async def test_drains_are_bounded(harness: QueueHarness) -> None:
    workers = harness.queue.workers
    await harness.client.hset(DRAINS, mapping={f"tag:t{number}": "x" for number in range(1000)})
    assert (await store(workers, EVERY_WORKER)).state == "full"
