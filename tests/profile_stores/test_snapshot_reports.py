"""What happens to snapshots is in the metrics and, for its tenant, on the channel of events."""

import asyncio
import json

from pw_queue import QueueHarness

from pageworker_profiles.errors import SnapshotStoreAway
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
        events = [json.loads((await anext(heard))["data"]) for _ in range(2)]
        running.cancel()
    assert [event["event"] for event in events] == ["profile_state"] * 2
    assert [event["tenant_id"] for event in events] == ["acme"] * 2
    assert events[0]["detail"] == {
        "profile_id": "p",
        "state": "snapshot_refused",
        "snapshot": "one",
        "reason": "it was changed",
    }
    assert events[1]["detail"]["state"] == "set_aside"


async def test_a_transfer_is_counted(harness: QueueHarness) -> None:
    metrics = Metrics()
    events = SnapshotReports(harness.queue.profile_stores, metrics).events
    events.moved("fetch", 0.5, 100)
    events.failed("publish", "acme", "p", SnapshotStoreAway("away"))
    text = metrics.expose().decode()
    assert 'pageworker_profile_snapshot_bytes_total{step="fetch"} 100.0' in text
    assert 'pageworker_profile_snapshot_failures_total{reason="SnapshotStoreAway",step="publish"} 1.0' in text
