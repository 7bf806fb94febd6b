"""Runners that are replaced though they work, and what their end keeps from other jobs."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from chaos.echo import EchoComponents
from pw_servers import RedisServer
from pw_worker import Echoes, change, echoes, nap

from pageworker_supervisor.queue.producer import NewJob
from pageworker_supervisor.runners import fleet
from pageworker_supervisor.runners.resources import RunnerFolder


async def test_a_runner_is_replaced_at_its_age_and_its_job_finishes(
    worker: Echoes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "IDLE_CHECK_SECONDS", 0.02)
    await worker.push(nap("first", 1))
    await worker.answered(1)
    await worker.push(nap("long", 0, do="hold"))
    await worker.until(lambda: sum(len(one.running) for one in worker.components.fleet.runners.values()) == 1)
    (old,) = worker.components.fleet.runners.values()
    await change(worker, {"pool.max_age_seconds": 0.01})
    await worker.until(lambda: not old.slot().open)
    await change(worker, {"pool.max_age_seconds": 3600})
    worker.components.echo.release()
    await worker.push(nap("next", 1))
    await worker.answered(3)
    assert worker.results["long"]["runner_id"] == old.runner_id != worker.results["next"]["runner_id"]
    assert [len(result["attempts"]) for result in worker.results.values()] == [1, 1, 1]
    assert b'pageworker_runner_retirements_total{cause="age"} 1.0' in worker.metrics()


def of_profile(job_id: str, profile_id: str) -> NewJob:
    return msgspec.structs.replace(nap(job_id, 1, fields={"profile_id": profile_id}), profile_id=profile_id)


async def test_a_profile_that_is_stored_keeps_no_runner_slot_from_another_tenant(
    live_redis: RedisServer, registry_key: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = asyncio.Event()
    keeping: list[str] = []

    async def keep(folder: RunnerFolder, clean: bool, browser_version: str) -> None:
        keeping.append("begun")
        await stored.wait()
        keeping.append("done")

    monkeypatch.setattr(EchoComponents, "locks", tmp_path)
    monkeypatch.setattr(RunnerFolder, "keep", keep)
    async with echoes(live_redis.url, live_redis, registry_key) as worker:
        try:
            await worker.push(of_profile("first", "p1"))
            await worker.answered(1)
            await worker.until(lambda: all(not one.taken for one in worker.components.fleet.runners.values()))
            worker.components.fleet.retire_profile(("acme", "p1"), "the test")
            await worker.until(lambda: keeping == ["begun"])
            await worker.push(of_profile("again", "p1"), of_profile("other", "p2"))
            await worker.answered(2)
            assert set(worker.results) == {"first", "other"}, "the store has the profile, and its lock"
            (stats,) = await worker.queue.inspection.stats()
            assert stats.profiles_held == 2
        finally:
            stored.set()
        await worker.answered(3)
        assert keeping[:2] == ["begun", "done"]
        assert len(worker.results["again"]["attempts"]) == 1
