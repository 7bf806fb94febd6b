"""What happens to snapshots is in the metrics and, for its tenant, on the channel of events."""

import asyncio
import json

from pw_queue import QueueHarness

from pageworker_profiles.errors import ContentDamaged, FolderWorkerFailed, SnapshotStoreAway
from pageworker_supervisor.profile_stores.snapshot_reports import SnapshotReports
from pageworker_supervisor.telemetry.metrics import Metrics


async def test_a_refused_snapshot_is_an_event_of_its_tenant(harness: QueueHarness) -> None:
    metrics = Metrics()
    reports = SnapshotReports(harness.queue.profile_stores, metrics)
    async with harness.client.pubsub() as channel, asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        await channel.subscribe("pw:events:acme")
        heard = channel.listen()
        await anext(heard)
        running = tasks.create_task(reports.run())
        reports.events.refused("acme", "p", "one", "it was changed")
        reports.events.set_aside("acme", "p", "its browser was killed")
        reports.events.damaged("acme", "p", ContentDamaged("'Cookies' is damaged"))
        reports.failed_check("acme", "p", FolderWorkerFailed("no memory"))
        reports.events.set_aside("acme", "p", "the last one")
        events = [json.loads((await anext(heard))["data"]) for _ in range(4)]
        running.cancel()
    assert [event["event"] for event in events] == ["profile_state"] * 4
    assert [event["tenant_id"] for event in events] == ["acme"] * 4
    assert events[0]["detail"] == {
        "profile_id": "p",
        "state": "snapshot_refused",
        "snapshot": "one",
        "reason": "it was changed",
    }
    assert events[1]["detail"]["state"] == "set_aside"
    assert events[2]["detail"] == {"profile_id": "p", "state": "damaged", "reason": "'Cookies' is damaged"}
    assert events[3]["detail"]["reason"] == "the last one", "no event of a check that failed by the host"
    assert "pageworker_profile_damaged_total 1.0" in metrics.expose().decode()


async def test_a_transfer_is_counted(harness: QueueHarness) -> None:
    metrics = Metrics()
    events = SnapshotReports(harness.queue.profile_stores, metrics).events
    events.moved("fetch", 0.5, 100)
    events.failed("publish", "acme", "p", SnapshotStoreAway("away"))
    text = metrics.expose().decode()
    assert 'pageworker_profile_snapshot_bytes_total{step="fetch"} 100.0' in text
    assert 'pageworker_profile_snapshot_failures_total{reason="SnapshotStoreAway",step="publish"} 1.0' in text
