"""How late the event loop runs what is due."""

import asyncio

from pageworker_supervisor.telemetry.metrics import Metrics

EVERY_SECONDS = 1.0


async def watch_lag(metrics: Metrics, every_seconds: float = EVERY_SECONDS) -> None:
    """Measure for ever: a sleep that ends late by so much means that everything else was late, too."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + every_seconds
        await asyncio.sleep(every_seconds)
        metrics.loop_lag_seconds.observe(max(0.0, loop.time() - due))
