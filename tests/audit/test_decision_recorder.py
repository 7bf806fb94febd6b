"""A worker's recorder on a real Redis: the chain, a Redis that is away, a key that is missing."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pw_queue import QueueHarness, open_harness
from pw_servers import RedisServer, RespProxy

from pageworker_supervisor.audit import decision_recorder
from pageworker_supervisor.audit.audit_log import read_lines, verify_store
from pageworker_supervisor.audit.checkpoint_file import CheckpointFile
from pageworker_supervisor.audit.decision_recorder import DecisionRecorder
from pageworker_supervisor.audit.decisions import Decisions
from pageworker_supervisor.audit.key_file import KEY_FILE, read_key
from pageworker_supervisor.config.settings import Settings, WorkerSettings
from pageworker_supervisor.queue.audit_store import AuditStore
from pageworker_supervisor.telemetry.metrics import Metrics

WORKER = Settings(worker=WorkerSettings(id="w1"))


@pytest.fixture
async def harness(live_redis: RedisServer) -> AsyncIterator[QueueHarness]:
    async with open_harness(live_redis.port) as opened:
        yield opened


def recorder(decisions: Decisions, store: AuditStore, folder: Path, metrics: Metrics | None = None) -> DecisionRecorder:
    return DecisionRecorder(decisions, store, WORKER, folder, (metrics or Metrics()).health.audit_record_lost)


async def records(store: AuditStore) -> list[dict[str, Any]]:
    return [line.record async for line in read_lines(store) if line is not None]


async def all_recorded(decisions: Decisions) -> None:
    async with asyncio.timeout(20):
        await decisions.all_recorded()


async def test_decisions_of_two_workers_are_one_chain_of_one_key(harness: QueueHarness, tmp_path: Path) -> None:
    store, first, second = harness.queue.audit, Decisions(), Decisions()
    async with recorder(first, store, tmp_path).running():
        first.record("host.close", "w1", reason="no memory")
        await all_recorded(first)
        async with recorder(second, store, tmp_path).running():
            for number in range(5):
                first.record("breaker.open", f"tenant {number}")
                second.record("drain", "w1", outcome="done", uid=os.getuid())
    found = await records(store)
    assert len(found) == 11, "the end of the block waits for what is left"
    assert (found[0]["action"], found[0]["target"], found[0]["reason"]) == ("host.close", "w1", "no memory")
    assert (found[0]["kind"], found[0]["name"], found[0]["detail"]) == ("policy", "w1", {"worker": "w1"})
    (drain, *_) = (record for record in found if record["action"] == "drain")
    assert (drain["kind"], drain["uid"], drain["program"]) == ("operator", os.getuid(), "control socket")
    key = read_key(tmp_path / KEY_FILE)
    report, _ = await verify_store(store, {key.id: key}, CheckpointFile(tmp_path))
    assert (report.whole, report.verified) == (True, 11)


async def test_a_redis_that_is_away_gets_the_records_later(
    harness: QueueHarness, proxied_redis: RespProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_recorder, "FIRST_RETRY_SECONDS", 0.01)
    now = 100.0
    decisions = Decisions(lambda: now)
    async with open_harness(proxied_redis.port) as far:
        proxied_redis.drop_reply(command="FCALL", times=2)  # a call is repeated once
        async with recorder(decisions, far.queue.audit, tmp_path).running():
            decisions.record("host.close", "w1")
            await proxied_redis.dropped.wait()
            now += 90
            await all_recorded(decisions)
    (record,) = await records(harness.queue.audit)
    assert record["detail"] == {"worker": "w1", "seconds_ago": 90}


async def test_no_key_is_made_for_a_log_that_has_records(harness: QueueHarness, tmp_path: Path) -> None:
    store, metrics = harness.queue.audit, Metrics()
    here, there, decisions = tmp_path / "here", tmp_path / "there", Decisions()
    for folder in (here, there):
        folder.mkdir()
    async with recorder(Decisions(), store, here).running():
        pass
    assert not (here / KEY_FILE).exists(), "no decision needs one"
    first = Decisions()
    async with recorder(first, store, here).running():
        first.record("host.close", "w1")
        await all_recorded(first)
    async with recorder(decisions, store, there, metrics).running():
        decisions.record("host.close", "w1")
        await all_recorded(decisions)
        assert not (there / KEY_FILE).exists()
        assert b'pageworker_audit_records_lost_total{reason="refused"} 1.0' in metrics.expose()
        (there / KEY_FILE).write_bytes((here / KEY_FILE).read_bytes())
        (there / KEY_FILE).chmod(0o600)
        decisions.record("host.open", "w1")
        await all_recorded(decisions)
    assert [record["action"] for record in await records(store)] == ["host.close", "host.open"]
    assert (await records(store))[1]["detail"] == {"worker": "w1", "lost_before": 1}


async def test_an_error_of_the_recorder_ends_nothing(
    harness: QueueHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decisions = Decisions()
    async with recorder(decisions, harness.queue.audit, tmp_path).running():
        decisions.record("host.close", "\udc80 is no character of UTF-8")
        decisions.record("host.open", "w1")
        await all_recorded(decisions)
    assert decisions.lost == {"refused": 1}
    assert [record["action"] for record in await records(harness.queue.audit)] == ["host.open"]


async def test_the_end_does_not_wait_for_a_redis_that_is_away(
    harness: QueueHarness, proxied_redis: RespProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_recorder, "LAST_SECONDS", 0.1)
    decisions = Decisions()
    async with open_harness(proxied_redis.port) as far:
        proxied_redis.cut()
        async with asyncio.timeout(20), recorder(decisions, far.queue.audit, tmp_path).running():
            decisions.record("host.close", "w1")
    assert decisions.lost == {"stopped": 1}
