"""A worker whose host is loaded claims less, says so, and goes on when the load falls."""

from pathlib import Path
from typing import Any

from pw_servers import RedisServer
from pw_worker import PAGES, Echoes, change, echoes, nap, taken

from pageworker_supervisor.host.load_level import LoadLevel

TINY = 0.000001
OPEN: dict[str, Any] = {"admission.memory_percent": []}
NO_NEW_RUNNERS: dict[str, Any] = {"admission.memory_percent": [TINY, 2 * TINY, 100]}
NO_JOBS: dict[str, Any] = {"admission.memory_percent": [TINY, 2 * TINY, 3 * TINY]}


async def test_a_loaded_worker_starts_no_runner_and_fills_those_that_are_up(worker: Echoes) -> None:
    await change(worker, {**OPEN, "pool.runners": 3})
    await worker.push(nap("first", 1))
    await worker.answered(1)
    (runner,) = worker.components.fleet.runners
    await change(worker, {**NO_NEW_RUNNERS, "pool.runners": 3})
    await worker.push(*(nap(f"j{n}", 200) for n in range(3 * PAGES)))
    await worker.until(lambda: taken(worker) == PAGES)
    status = worker.worker.status()
    assert (status.state, status.admission.level) == ("ready", "no_new_runners")
    assert worker.worker.ready() == (True, status.admission.reason)
    assert "admission.memory_percent" in status.reason
    assert b'pageworker_admission_closed{reason="memory"} 1.0' in worker.metrics()
    await worker.answered(1 + 3 * PAGES)
    assert {result["runner_id"] for result in worker.results.values()} == {runner}
    await change(worker, {**OPEN, "pool.runners": 3})
    await worker.push(*(nap(f"k{n}", 300) for n in range(3 * PAGES)))
    await worker.until(lambda: taken(worker) == 3 * PAGES)
    assert worker.worker.ready() == (True, "")


async def test_a_worker_above_the_last_mark_claims_nothing_and_is_not_ready(worker: Echoes) -> None:
    await worker.push(nap("running", 400))
    await worker.until(lambda: taken(worker) == 1)
    await change(worker, NO_JOBS)
    await worker.push(nap("waits", 1), nap("expires", 1, fields={}))
    await worker.answered(1)
    ready, reason = worker.worker.ready()
    assert (ready, worker.worker.status().state) == (False, "failing")
    assert reason.startswith("claims no jobs: ")
    await worker.queue.inspection.cancel(nap("expires", 1).ref)
    await worker.answered(2)
    assert {job: result["status"] for job, result in worker.results.items()} == {
        "running": "succeeded",
        "expires": "cancelled",
    }, "results are still written"
    await change(worker, OPEN)
    await worker.answered(3)
    assert worker.results["waits"]["status"] == "succeeded"


async def test_another_worker_gets_what_a_loaded_one_would_be_woken_for(
    live_redis: RedisServer, registry_key: tuple[Path, str]
) -> None:
    async with (
        echoes(live_redis.url, live_redis, registry_key, worker_id="a") as loaded,
        echoes(live_redis.url, live_redis, registry_key, worker_id="b") as other,
    ):
        await other.push(*(nap(f"warm{n}", 100) for n in range(2 * PAGES)))
        await other.answered(2 * PAGES)
        assert loaded.components.fleet.runners
        loaded.components.fleet.admit(LoadLevel.NO_JOBS)
        for number in range(4):
            await other.push(nap(f"new{number}", 1))
            await other.answered(2 * PAGES + number + 1, 5)
            assert other.results[f"new{number}"]["worker_id"] == "b"
