"""What wakes the dispatcher: work in Redis, or a change in the fleet."""

import asyncio


class DispatchSignals:
    """Level-triggered: an event that is set before anybody waits is not missed."""

    def __init__(self) -> None:
        self.work = asyncio.Event()

    async def something(self, changed: asyncio.Event, at_most_seconds: float | None) -> None:
        """Return when there may be something to do: at the latest after so long, where time itself brings it."""
        async with asyncio.TaskGroup() as tasks:
            waits = [tasks.create_task(event.wait()) for event in (self.work, changed)]
            await asyncio.wait(waits, timeout=at_most_seconds, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
