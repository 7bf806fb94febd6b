"""Measures how late the event loop runs tasks that are due."""

import asyncio

from pageworker_supervisor.telemetry.metrics import Metrics

EVERY_SECONDS = 1.0


async def watch_lag(metrics: Metrics, every_seconds: float = EVERY_SECONDS) -> None:
    """Measure for ever. A sleep that ends late shows that all other tasks were late by the same time."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + every_seconds
        await asyncio.sleep(every_seconds)
        metrics.health.loop_lag_seconds.observe(max(0.0, loop.time() - due))
