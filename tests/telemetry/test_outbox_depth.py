"""The gauge follows the outbox, up and down."""

import asyncio

from pageworker_supervisor.telemetry.metrics import Metrics
from pageworker_supervisor.telemetry.outbox_depth import watch_outbox_depth


async def test_the_gauge_has_the_last_count() -> None:
    metrics = Metrics()
    shown: list[str] = []
    depths = [3, 7, 0]
    done = asyncio.Event()

    async def count() -> int:
        shown.append(next(line for line in metrics.expose().decode().splitlines() if line.startswith(NAME)))
        if len(shown) > len(depths):
            done.set()
            await asyncio.Event().wait()
        return depths[len(shown) - 1]

    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(watch_outbox_depth(metrics, count, 0.0))
        await done.wait()
        watching.cancel()
    assert shown == [f"{NAME} {value}" for value in ("0.0", "3.0", "7.0", "0.0")]


NAME = "pageworker_outbox_depth"
