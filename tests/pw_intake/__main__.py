"""`python -m pw_intake URL WORKER`: an intake in a process of its own, to be killed."""

import asyncio
import sys

from pw_intake.counter import open_counter


async def main(url: str, worker_id: str) -> None:
    """Runs until it is killed."""
    async with open_counter(url) as counter, counter.intake(worker_id):
        await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
