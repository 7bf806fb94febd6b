"""Takes back what dead workers held. Any worker reaps, at random times, so that none has to be elected."""

import asyncio
import random

from pageworker_supervisor.engine import Engine
from pageworker_supervisor.redis_link.availability import Availability
from pageworker_supervisor.telemetry import log

EARLIEST_SECONDS = 10.0
LATEST_SECONDS = 20.0


async def reap(engine: Engine, availability: Availability) -> None:
    """Reap for ever."""
    while True:
        await asyncio.sleep(random.uniform(EARLIEST_SECONDS, LATEST_SECONDS))
        reaped = await availability.insist(engine.reap)
        if reaped.count:
            log.warning("leases taken back", count=reaped.count, workers=sorted(reaped.workers_lost))
