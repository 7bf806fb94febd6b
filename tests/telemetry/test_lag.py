"""The event loop's lag is measured."""

import asyncio

import pytest

from pageworker_supervisor.telemetry.lag import watch_lag
from pageworker_supervisor.telemetry.metrics import Metrics


async def test_a_blocked_event_loop_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics()
    measured = asyncio.Event()
    observe = metrics.health.loop_lag_seconds.observe

    def notice(seconds: float) -> None:
        observe(seconds)
        measured.set()

    monkeypatch.setattr(metrics.health.loop_lag_seconds, "observe", notice)
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(watch_lag(metrics, 0.01))
        await asyncio.sleep(0)
        blocked_until = asyncio.get_running_loop().time() + 0.06
        while asyncio.get_running_loop().time() < blocked_until:
            pass
        await measured.wait()
        watching.cancel()
    lines = metrics.expose().decode().splitlines()
    total = next(line for line in lines if line.startswith("pageworker_loop_lag_seconds_sum"))
    assert float(total.split()[1]) >= 0.04
