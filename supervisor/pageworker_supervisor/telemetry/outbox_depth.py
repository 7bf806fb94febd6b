"""Measures how many callbacks wait in the outbox."""

import asyncio
from collections.abc import Awaitable, Callable

from pageworker_supervisor.telemetry.metrics import Metrics

EVERY_SECONDS = 10.0


async def watch_outbox_depth(
    metrics: Metrics, count: Callable[[], Awaitable[int]], every_seconds: float = EVERY_SECONDS
) -> None:
    """Set `pageworker_outbox_depth` for ever. `count` reads the number of outbox entries of the whole queue."""
    while True:
        metrics.results.outbox_depth.set(await count())
        await asyncio.sleep(every_seconds)
