"""A worker's part in the central configuration: from its start, through each version, to its end. And the client of
the queue with its settings."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, NoReturn

from pageworker_supervisor.admin.status import ConfigReport
from pageworker_supervisor.central.follower import ConfigFollower
from pageworker_supervisor.central.parameter_follower import ParameterFollower
from pageworker_supervisor.central.parameter_store import ParameterStore
from pageworker_supervisor.components import Components, HostEnvironment
from pageworker_supervisor.config.central_document import parameter_path
from pageworker_supervisor.config.load import LocalLayers
from pageworker_supervisor.config.reload import running, waiting
from pageworker_supervisor.dispatch.limits_watch import LimitsWatch
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.options import QueueOptions, queue_options
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.redis_client.errors import RedisClientError
from pageworker_supervisor.telemetry import log_to

LEAVE_SECONDS = 1.0


class WorkerConfig:
    """Follows the central configuration if this worker has one, and puts its limits in force in any case."""

    def __init__(self, environment: HostEnvironment, name: str, redis_client: RedisClient, queue: QueueClient) -> None:
        """`name`: the worker as the queue knows it."""
        self._live = environment.live
        self._metrics = environment.metrics
        self._availability = redis_client.availability
        self._queue = queue
        self._name = name
        self._follower: ConfigFollower | None = None
        self._parameters: ParameterFollower | None = None
        self._started = settings = environment.settings
        self._waiting: tuple[str, ...] = ()
        self._reloaded = asyncio.Event()
        self._live.part(lambda now: now.log).on_change(lambda log: log_to(log, worker_id=settings.worker.id))
        if environment.local is None or settings.config.central == "off":
            return
        self._follower = ConfigFollower(
            *(name, queue.config, self._availability, environment.local, self._live, self._metrics),
            environment.decisions,
        )
        if (path := parameter_path(settings.config.central)) is not None:
            self._parameters = ParameterFollower(
                ParameterStore(path), queue.config, self._availability, settings.config.poll_seconds, self._metrics
            )

    @property
    def trouble(self) -> str:
        """Why the worker does not run the version that counts; "" while it does."""
        return self._follower.trouble.value if self._follower is not None else ""

    async def start(self) -> None:
        """Take the version that counts before anything is built with the settings. Waits while Redis is away."""
        if self._follower is not None:
            await self._follower.start()
            self._queue.use(queue_options(self._live.value, self._queue.options))
            self._metrics.know_tenants(self._live.value.tenants)
        limits = LimitsWatch(self._name, self._queue.limits, self._availability, self._live.value)
        await limits.apply(self._live.value, self._version)

    def tasks(self, components: Components) -> dict[str, Coroutine[Any, Any, None]]:
        """What follows the configuration, by name, as the tasks of `components`. Call it once."""
        follower = self._follower
        if follower is None:
            return {"limits": self._follow_limits(self._reloaded, components)}
        components.limits.use(self._live.value, self._version)
        components.dispatcher.on_config_notice(follower.notice)
        components.dispatcher.hold(bool(self.trouble))
        follower.trouble.on_change(lambda trouble: components.dispatcher.hold(bool(trouble)))
        works: dict[str, Coroutine[Any, Any, None]] = {
            "config": follower.run(),
            "limits": self._follow_limits(follower.applied, components),
        }
        if self._parameters is not None:
            works["parameters"] = self._parameters.run()
        return works

    async def reload(self, local: LocalLayers) -> tuple[str, ...]:
        """Use another file. Returns the settings that wait for the next start.

        Raises ConfigInvalid if the file is invalid, by itself or together with the central configuration. Then nothing
        has changed.
        """
        if self._follower is not None:
            await self._follower.reload(local)
            return self._follower.waiting
        settings = await asyncio.to_thread(local.settings)
        self._waiting = waiting(self._started, settings)
        self._live.replace(running(self._started, settings))
        self._reloaded.set()
        return self._waiting

    def report(self) -> ConfigReport:
        """What the worker runs of the central configuration."""
        if self._follower is None:
            return ConfigReport(waiting_for_restart=self._waiting)
        return ConfigReport(
            version=self._version,
            who=self._follower.version.who,
            waiting_for_restart=self._follower.waiting,
            trouble=self.trouble,
            source_trouble=self._parameters.trouble if self._parameters is not None else "",
        )

    async def leave(self) -> None:
        """Best effort: without it, the next change of the central configuration waits for this worker's vote."""
        if self._follower is not None:
            with contextlib.suppress(RedisClientError, TimeoutError):
                async with asyncio.timeout(LEAVE_SECONDS):
                    await self._follower.leave()

    @property
    def _version(self) -> int:
        return self._follower.version.version if self._follower is not None else 0

    async def _follow_limits(self, applied: asyncio.Event, components: Components) -> NoReturn:
        """Put the limits of each version in force, also if they are the same as before: the version counts."""
        while True:
            await applied.wait()
            applied.clear()
            await components.limits.apply(self._live.value, self._version)


def worker_queue(environment: HostEnvironment, redis_client: RedisClient, *, replicas: int) -> QueueClient:
    """A client of the queue with the worker's settings. `replicas`: how many have to confirm a write that must last."""
    settings, timeouts = environment.settings, environment.timeouts
    return QueueClient(
        redis_client,
        prefix=settings.redis.prefix,
        shards=settings.redis.shards,
        options=queue_options(
            settings,
            QueueOptions(replicas=replicas, lease_ms=timeouts.lease_ms, outbox_lease_ms=timeouts.outbox_lease_ms),
        ),
    )
