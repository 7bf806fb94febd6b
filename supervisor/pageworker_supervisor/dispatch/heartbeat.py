"""Keeps leases and profile locks alive, and acts on the queue's reply."""

import asyncio

from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.dispatch.attempt_state import AttemptState
from pageworker_supervisor.dispatch.dispatcher import Dispatcher
from pageworker_supervisor.dispatch.limits_watch import LimitsWatch
from pageworker_supervisor.queue.consumer import JobConsumer
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.runners.fleet import Fleet
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

HEARTBEATS_PER_LEASE = 3


class Heartbeat:
    """Sends one heartbeat for all leases and open profiles. Lost ones are stopped at once."""

    def __init__(
        self,
        queue: JobConsumer,
        availability: Availability,
        dispatcher: Dispatcher,
        fleet: Fleet,
        worker_id: str,
        metrics: Metrics,
        limits: LimitsWatch,
    ) -> None:
        self._queue = queue
        self._availability = availability
        self._dispatcher = dispatcher
        self._fleet = fleet
        self._worker_id = worker_id
        self._metrics = metrics
        self._limits = limits

    async def run(self) -> None:
        """Send heartbeats for ever."""
        interval_seconds = self._queue.lease_ms / 1000 / HEARTBEATS_PER_LEASE
        async with TaskGroup() as tasks:
            while True:
                await asyncio.sleep(interval_seconds)
                await self._availability.retry_until_available(lambda: self._send(tasks))

    async def _send(self, tasks: asyncio.TaskGroup) -> None:
        traffic = {token: attempt.traffic for token, attempt in self._dispatcher.attempts.items()}
        reply = await self._queue.heartbeat(
            self._worker_id, self._dispatcher.leases, self._dispatcher.profiles(), traffic
        )
        for token in reply.lost:
            if (
                attempt := self._dispatcher.attempts.get(token)
            ) is not None and attempt.state is not AttemptState.DETACHED:
                self._metrics.jobs.lost(attempt.job.tenant_id)
                tasks.create_task(attempt.contain(attempt.on_lease_lost()))
        for token in reply.cancelled:
            self._dispatcher.cancel(tasks, token)
        for profile in reply.asked_profiles:
            self._fleet.retire_profile(profile, "another worker asks for its profile")
        for tenant_id, profile_id, fence in reply.lost_profiles:
            # Meanwhile this worker may have given the lock up itself, and may have the profile open by a later one.
            if self._fleet.kill_profile((tenant_id, profile_id), "its profile lock is lost", fence):
                log.error("profile lock lost", tenant_id=tenant_id, profile_id=profile_id)
        # Last: it may raise, and the reply must have been acted on.
        await self._limits.look(reply.limits)
