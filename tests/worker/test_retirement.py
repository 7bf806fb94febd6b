"""Runners that are replaced though they work."""

import pytest
from pw_worker import Echoes, change, nap

from pageworker_supervisor.runners import fleet


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
