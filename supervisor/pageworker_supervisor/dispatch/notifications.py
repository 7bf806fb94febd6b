"""Waits in Redis for this worker: new work, cancellations, profiles that other workers ask for."""

import asyncio

from pageworker_supervisor.dispatch.dispatcher import Dispatcher
from pageworker_supervisor.queue.consumer import JobConsumer
from pageworker_supervisor.queue.wakeup import AskNotice, CancelNotice, Notice
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.runners.fleet import Fleet

WAIT_SECONDS = 2.0


class NotificationListener:
    """Passes notifications on to the dispatcher and the fleet."""

    def __init__(
        self,
        queue: JobConsumer,
        availability: Availability,
        dispatcher: Dispatcher,
        fleet: Fleet,
        worker_id: str,
    ) -> None:
        self._queue = queue
        self._availability = availability
        self._dispatcher = dispatcher
        self._fleet = fleet
        self._worker_id = worker_id

    async def run(self) -> None:
        """Wait and pass on, for ever."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                # A job that was pushed while Redis did not answer may have woken no worker: claim after each failure.
                wake = await self._availability.retry_until_available(
                    lambda: self._queue.wait(self._worker_id, WAIT_SECONDS), self._dispatcher.notice_work
                )
                for notice in wake.control:
                    self._act(tasks, notice)
                if wake.work:
                    self._dispatcher.notice_work()

    def _act(self, tasks: asyncio.TaskGroup, notice: Notice) -> None:
        match notice:
            case CancelNotice(_, token):
                self._dispatcher.cancel(tasks, token)
            case AskNotice(tenant_id, profile_id):
                self._fleet.retire_profile((tenant_id, profile_id), "another worker asks for its profile")
