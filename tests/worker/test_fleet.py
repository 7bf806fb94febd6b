"""Workers in the fleet: their reports, and drains that are stored in Redis."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from chaos.echo import EchoRunner
from pw_servers import RedisServer
from pw_worker import Echoes, echoes, nap, taken

from pageworker_sandbox.state_machine import label
from pageworker_supervisor.admin.errors import WorkerRefused
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.worker_report import RefusedModule, WorkerReport
from pageworker_supervisor.dispatch.attempt_state import AttemptState
from pageworker_supervisor.queue.fleet_workers import EVERY_WORKER, drain_of_tag, drain_of_worker

SOON_SECONDS = 2.0
"""A stored drain reaches its workers within this time."""


@asynccontextmanager
async def two(live_redis: RedisServer, key: tuple[Path, str]) -> AsyncIterator[tuple[Echoes, Echoes]]:
    """Two workers: `a` has the tag `eu`."""
    async with (
        echoes(live_redis.url, live_redis, key, worker_id="a", more={"worker": {"tags": ["eu"]}}) as first,
        echoes(live_redis.url, live_redis, key, worker_id="b") as second,
    ):
        yield first, second


async def reports(worker: Echoes) -> dict[str, WorkerReport]:
    page = await worker.queue.workers.everyone()
    return {heard.report.worker_id: heard.report for heard in page.workers if heard.report is not None}


async def reported(worker: Echoes, holds: Callable[[dict[str, WorkerReport]], bool], seconds: float = 10.0) -> None:
    """Until the reports say so. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not holds(await reports(worker)):
            await worker.turn()


async def store(worker: Echoes, name: str, seconds: float | None = 60.0, *, cancel: bool = False) -> None:
    stored = await worker.queue.workers.store_drain(
        name, f"{name} {seconds}", seconds, else_seconds=60.0, who="me", reason="test", cancel=cancel
    )
    assert stored.state == "stored"


async def test_a_worker_reports_itself_and_leaves(live_redis: RedisServer, registry_key: tuple[Path, str]) -> None:
    async with two(live_redis, registry_key) as (first, second):
        await reported(first, lambda found: {one.state for one in found.values()} == {"ready"} and len(found) == 2)
        found = (await reports(first))["a"]
        assert (found.tags, found.runner_slots, found.pages, found.jobs_running) == (("eu",), 1, 2, 0)
        assert found.name.startswith("a.")
        assert abs(found.reported_at - found.started_at) < 60
        second.worker.stop.set()
        await reported(first, lambda found: set(found) == {"a"})


async def test_a_stored_drain_reaches_its_workers_soon(live_redis: RedisServer, registry_key: tuple[Path, str]) -> None:
    async with two(live_redis, registry_key) as (first, second):
        await reported(first, lambda found: len(found) == 2)
        await store(first, drain_of_tag("eu"))
        await reported(first, lambda found: found["a"].reason == "drained", SOON_SECONDS)
        assert first.worker.status().state == "draining"
        assert (await reports(first))["a"].draining_until is not None
        assert second.worker.ready() == (True, "")
        with pytest.raises(WorkerRefused, match="workerctl undrain --tag eu"):
            await first.worker.undrain()
        await first.queue.workers.lift_drain(drain_of_tag("eu"))
        await reported(first, lambda found: found["a"].state == "ready", SOON_SECONDS)
        assert (await reports(first))["a"].draining_until is None
        await first.push(nap("j1", 1), nap("j2", 1))
        await first.answered(2)


async def test_a_worker_that_starts_while_its_drain_is_stored_claims_nothing(
    live_redis: RedisServer, registry_key: tuple[Path, str]
) -> None:
    async with echoes(live_redis.url, live_redis, registry_key, worker_id="a") as before:
        await reported(before, lambda found: "a" in found)
        await store(before, drain_of_worker("a"))
    async with echoes(live_redis.url, live_redis, registry_key, worker_id="a", until_ready=False) as again:
        await reported(again, lambda found: "a" in found and found["a"].reason == "drained")
        await again.push(nap("j1", 1))
        with pytest.raises(TimeoutError):
            await again.answered(1, 0.5)
        await again.queue.workers.lift_drain(drain_of_worker("a"))
        await again.answered(1)


async def test_two_causes_of_a_drain_end_one_by_one(live_redis: RedisServer, registry_key: tuple[Path, str]) -> None:
    async with echoes(live_redis.url, live_redis, registry_key, worker_id="a") as worker:
        await reported(worker, lambda found: "a" in found)
        async for _ in worker.worker.drain(1.0):
            pass
        await store(worker, EVERY_WORKER)
        await worker.until(lambda: label(worker.worker.drained_by) == "both")
        await worker.queue.workers.lift_drain(EVERY_WORKER)
        await worker.until(lambda: label(worker.worker.drained_by) == "command")
        assert not worker.worker.ready()[0]
        await worker.worker.undrain()
        assert worker.worker.ready() == (True, "")


async def test_what_runs_at_the_deadline_is_requeued_or_cancelled(
    live_redis: RedisServer, registry_key: tuple[Path, str]
) -> None:
    async with two(live_redis, registry_key) as (first, second):
        await reported(first, lambda found: len(found) == 2)
        await store(second, drain_of_worker("b"))
        await reported(first, lambda found: found["b"].reason == "drained")
        await first.push(nap("long", 30_000))
        await first.until(lambda: bool(first.worker.status().jobs))
        await store(first, drain_of_tag("eu"), 0.2, cancel=True)
        await first.answered(1)
        assert first.results["long"]["status"] == "cancelled"
        await reported(first, lambda found: found["a"].reason == "drained")


async def test_a_later_deadline_replaces_an_earlier_one(
    live_redis: RedisServer, registry_key: tuple[Path, str]
) -> None:
    async with echoes(live_redis.url, live_redis, registry_key, worker_id="a") as worker:
        await reported(worker, lambda found: "a" in found)
        await worker.push(nap("j1", 1500))
        await worker.until(lambda: bool(worker.worker.status().jobs))
        await store(worker, EVERY_WORKER, 0.6)
        await worker.until(lambda: worker.worker.status().state == "draining")
        await store(worker, EVERY_WORKER, 30.0)
        await worker.answered(1)
        assert worker.results["j1"]["status"] == "succeeded"
        assert len(worker.results["j1"]["attempts"]) == 1
        await reported(worker, lambda found: found["a"].reason == "drained")


async def test_a_worker_that_stops_takes_no_jobs_again(live_redis: RedisServer, registry_key: tuple[Path, str]) -> None:
    """A lifted drain, or a command, does not end the drain of a worker that was told to stop."""
    patient = {"worker": {"drain_seconds": 10}}
    async with echoes(live_redis.url, live_redis, registry_key, worker_id="a", more=patient) as worker:
        await reported(worker, lambda found: "a" in found)
        await worker.push(nap("j1", 1000))
        await worker.until(lambda: bool(worker.worker.status().jobs))
        await store(worker, EVERY_WORKER)
        await worker.until(lambda: label(worker.worker.drained_by) == "stored")
        worker.worker.stop.set()
        await worker.queue.workers.lift_drain(EVERY_WORKER)
        await worker.until(lambda: label(worker.worker.drained_by) == "nothing")
        with pytest.raises(WorkerRefused, match="the worker stops"):
            await worker.worker.undrain()
        assert not worker.worker.ready()[0]
        await worker.answered(1)
        assert len(worker.results["j1"]["attempts"]) == 1


async def test_a_drain_that_follows_a_lifted_one_leaves_no_job_half_requeued(
    live_redis: RedisServer, registry_key: tuple[Path, str]
) -> None:
    async with echoes(live_redis.url, live_redis, registry_key, worker_id="a") as worker:
        await reported(worker, lambda found: "a" in found)
        await worker.push(nap("j1", 30_000))
        await worker.until(lambda: taken(worker) == 1)
        (runner,) = worker.components.fleet.runners.values()
        (attempt,) = worker.components.dispatcher.attempts.values()
        assert isinstance(runner, EchoRunner)
        async with asyncio.TaskGroup() as tasks:
            frozen = tasks.create_task(runner.freeze(30))
            await store(worker, EVERY_WORKER, 0.1)
            await worker.until(lambda: attempt.state is AttemptState.DETACHED)
            await worker.queue.workers.lift_drain(EVERY_WORKER)
            await worker.until(lambda: label(worker.worker.drained_by) == "nothing")
            await store(worker, EVERY_WORKER, 30.0)
            await reported(worker, lambda found: found["a"].reason == "drained")
            frozen.cancel()
        (stats,) = await worker.queue.inspection.stats()
        assert (stats.queued, stats.running) == (1, 0)


async def test_a_version_that_did_not_load_is_reported_at_once(
    live_redis: RedisServer, registry_key: tuple[Path, str]
) -> None:
    async with two(live_redis, registry_key) as (first, second):
        registry = first.components.registry
        release = registry.resolve("test.nap")
        await registry.load_failed(release, None, JobRef("acme", "1"), "no `x`")
        refused = RefusedModule(module="test.nap", version=release.version, tenant_id="acme", reason="no `x`")
        # The next report in turn would come after ten seconds.
        await reported(first, lambda found: found["a"].modules_refused == (refused,), 5.0)
        assert (await reports(second))["b"].modules_refused == ()
