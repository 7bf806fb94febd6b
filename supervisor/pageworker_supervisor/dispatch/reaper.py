"""Takes back the leases of dead workers. Every worker reaps, at random times, so that none has to be elected."""

import asyncio
import random

from pageworker_supervisor.queue.consumer import JobConsumer
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.telemetry import log

EARLIEST, LATEST = 10 / 45, 20 / 45
"""Parts of a lease's time."""


async def reap(queue: JobConsumer, availability: Availability) -> None:
    """Reap for ever."""
    lease_seconds = queue.lease_ms / 1000
    while True:
        await asyncio.sleep(lease_seconds * random.uniform(EARLIEST, LATEST))
        reaped = await availability.retry_until_available(queue.reap)
        if reaped.count:
            log.warning("leases taken back", count=reaped.count, workers=sorted(reaped.workers_lost))
