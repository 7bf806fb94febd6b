"""A worker's part in rollouts: it follows the entries, reports what the signed index does not permit, and decides."""

import asyncio
import contextlib
import random
import time
from collections.abc import Coroutine
from typing import Any

from pageworker_sandbox.signing import TrustStore
from pageworker_supervisor.components import Components, HostEnvironment
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.registry.errors import ModuleError
from pageworker_supervisor.registry.fleet_serial import FleetSerial
from pageworker_supervisor.rollouts.automatic import AutomaticDecision
from pageworker_supervisor.rollouts.follower import POLL_SECONDS, RolloutFollower
from pageworker_supervisor.rollouts.refusals import RefusedEntries
from pageworker_supervisor.rollouts.worker_rules import WorkerRules
from pageworker_supervisor.task_supervision import look_when_noticed

DECIDE_SECONDS = 1.0
"""Between two looks of the automatic decision."""


class WorkerRollouts:
    """Of one worker. `rules` is for its registry."""

    def __init__(self, environment: HostEnvironment, redis_client: RedisClient, queue: QueueClient) -> None:
        self._environment = environment
        self._redis_client = redis_client
        self._queue = queue
        self._changed = asyncio.Event()
        self._follower = RolloutFollower(queue.rollouts, redis_client.availability, self._changed.set)
        self.rules = WorkerRules(environment.live, self._follower.entry)

    async def start(self) -> None:
        """Take the entries before the first job is claimed. Waits while Redis is away."""
        await self._follower.start()

    async def open_registry(self, worker: str, trust: TrustStore) -> Registry:
        """The registry of this worker, which chooses versions by the rules. `worker`: its name. Raises OSError."""
        environment = self._environment
        settings, folder = environment.settings, environment.data_dir
        return await Registry.open(
            settings.modules.registry or folder / "registry",
            trust,
            folder / "modules",
            refresh_seconds=environment.live.value.modules.refresh_seconds,
            rules=self.rules,
            fleet=FleetSerial(self._redis_client, settings, folder, worker, environment.metrics),
            cache_bytes=settings.modules.cache_bytes,
        )

    def tasks(self, components: Components) -> dict[str, Coroutine[Any, Any, None]]:
        """What follows the entries, by name, as the tasks of `components`. Call it once."""
        components.dispatcher.on_rollout_notice(self._follower.notice)
        settings, metrics = self._environment.settings, self._environment.metrics
        refused = RefusedEntries(
            self._redis_client, settings.redis.prefix, settings.worker.id, components.registry.listed, metrics
        )
        deciding = AutomaticDecision(
            self._queue.rollouts,
            lambda: self._environment.live.value.rollouts,
            metrics,
            self._environment.decisions,
        )

        async def check_permitted() -> None:
            entries = self._follower.entries
            if refused.found(entries):
                # A version that was published just now. What the registry says is noted by itself.
                with contextlib.suppress(ModuleError):
                    await components.registry.look_again(time.monotonic())
            await refused.report(entries)

        async def decide() -> None:
            await deciding.look(self._follower.entries, self._follower.revision)
            # Each look reads the counts of all shards. Workers look at different times.
            await asyncio.sleep(DECIDE_SECONDS * random.uniform(0.5, 1.5))

        return {
            "rollout_decisions": look_when_noticed(components.settlement.observed, POLL_SECONDS, decide),
            "rollouts": self._follower.run(),
            # The index changes as well, so it looks again without a notice.
            "refused_rollouts": look_when_noticed(self._changed, POLL_SECONDS, check_permitted),
        }
