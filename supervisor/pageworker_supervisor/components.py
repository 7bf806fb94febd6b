"""All components of the supervisor, furnished in the order in which they depend on each other.

Reading order of one job: intake, queue, dispatch, runners, (runner) modules, pages, and back through dispatch's
settlement to delivery.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from pageworker_profiles import FolderSize, ProfileError, ProfileFolders
from pageworker_sandbox.launch import Host
from pageworker_supervisor.artifacts.store import ArtifactStore
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.delivery.callback_sender import CallbackSender
from pageworker_supervisor.dispatch.attempt import AttemptServices
from pageworker_supervisor.dispatch.dispatcher import Dispatcher
from pageworker_supervisor.dispatch.heartbeat import Heartbeat
from pageworker_supervisor.dispatch.notifications import NotificationListener
from pageworker_supervisor.dispatch.reaper import reap
from pageworker_supervisor.dispatch.settlement import Settlement
from pageworker_supervisor.dispatch.signals import DispatchSignals
from pageworker_supervisor.host.uid_ranges import IdRange
from pageworker_supervisor.intake import Admission, Intake
from pageworker_supervisor.intake.module_egress import ModuleEgress
from pageworker_supervisor.intake.timing import IntakeTimeouts
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.options import LEASE_MS, PROMISE_MS
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.runners.dial_rules import dial_rules
from pageworker_supervisor.runners.egress_sets import EgressSets
from pageworker_supervisor.runners.fleet import Fleet
from pageworker_supervisor.runners.gateway_process import GatewayProcess, OutletEvents
from pageworker_supervisor.runners.resources import RunnerResources
from pageworker_supervisor.runners.uid_pool import UidPool
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.lag import watch_lag
from pageworker_supervisor.telemetry.metrics import Metrics
from pageworker_supervisor.telemetry.outbox_depth import watch_outbox_depth

GAUGES_SECONDS = 2.0


@dataclass(frozen=True)
class Timeouts:
    """How long a silence counts as death. Tests of what happens past it use shorter ones."""

    lease_ms: int = LEASE_MS
    promise_ms: int = PROMISE_MS
    intake: IntakeTimeouts = field(default_factory=IntakeTimeouts)


@dataclass(frozen=True)
class HostEnvironment:
    """What the worker found where it was started."""

    settings: Settings
    data_dir: Path
    host: Host
    metrics: Metrics
    pace: Timeouts = Timeouts()
    uids: IdRange | None = None
    """User ids for gateway and runners; None where we are not root."""
    http_ports: tuple[int, ...] = ()
    """Of the operator's endpoints, once they are bound."""


class Components:
    """Everything that runs while the worker is up."""

    def __init__(
        self, site: HostEnvironment, name: str, redis_client: RedisClient, queue: QueueClient, registry: Registry
    ) -> None:
        """`name`: whom leases and profile locks are held by."""
        settings = site.settings
        uids = UidPool(site.uids)
        availability = redis_client.availability
        self.redis_client = redis_client
        self.queue = queue
        self.registry = registry
        self.outlet = GatewayProcess(
            site.host,
            uids.gateway,
            dial_rules(settings.egress, {*redis_client.ports, *redis_client.ingress.ports, *site.http_ports}),
            site.metrics,
            OutletEvents(lambda: self.fleet.look(), self._kill_all, self._dismiss),
        )
        self.artifacts = ArtifactStore.open(
            settings.artifacts.url, site.data_dir, site.metrics, settings.artifacts.waiting_bytes
        )
        most = FolderSize(settings.profiles.max_files, settings.profiles.max_bytes)
        self.profiles = ProfileFolders(site.data_dir / "profiles", most)
        egress_sets = EgressSets()
        resources = RunnerResources(
            settings=settings,
            host=site.host,
            outlet=self.outlet,
            profiles=self.profiles,
            artifacts=self.artifacts,
            metrics=site.metrics,
            uids=uids,
            egress_sets=egress_sets,
        )
        self.settlement = Settlement(name, queue, availability, settings, site.metrics)
        self.fleet = self._fleet(name, resources)
        self.signals = DispatchSignals()
        tools = AttemptServices(
            settings, registry, self.artifacts, self.settlement, self.fleet, egress_sets, site.metrics
        )
        self.dispatcher = Dispatcher(name, queue, availability, self.fleet, tools, self.signals)
        self.leases = Heartbeat(queue, availability, self.dispatcher, self.fleet, name, site.metrics)
        self.waker = NotificationListener(queue, availability, self.dispatcher, self.fleet, self.signals, name)
        self.callback_sender = CallbackSender(queue, availability, settings, site.metrics)
        self.intake = Intake(
            redis_client,
            queue,
            Admission(settings.tenants, settings.domains, settings.jobs),
            settings.redis.prefix,
            settings.worker.id,
            site.metrics,
            site.pace.intake,
            ModuleEgress(registry).digest,
        )
        self._metrics = site.metrics
        self._settings = settings

    def tasks(self) -> dict[str, Coroutine[Any, Any, None]]:
        """Every long-lived task by name. Each runs until it is cancelled; one that ends is a bug."""
        return {
            "redis": self.redis_client.availability.run(),
            "egress": self.outlet.run(),
            "registry": self.registry.run(),
            "artifacts": self.artifacts.run_sweeps(self._settings.artifacts.keep_days),
            "profiles": self.profiles.run(_not_deleted),
            "fleet": self.fleet.run(),
            "dispatch": self.dispatcher.run(),
            "leases": self.leases.run(),
            "wakes": self.waker.run(),
            "reaper": reap(self.queue, self.redis_client.availability),
            "callback_sender": self.callback_sender.run(),
            "intake": self.intake.run(),
            "lag": watch_lag(self._metrics),
            "outbox_depth": watch_outbox_depth(self._metrics, self._outbox_depth),
            "gauges": self._measure(),
        }

    async def _outbox_depth(self) -> int:
        shards = await self.redis_client.availability.retry_until_available(self.queue.stats)
        return sum(shard.promises for shard in shards)

    async def _measure(self) -> NoReturn:
        while True:
            runners = Counter(runner.life.name.lower() for runner in self.fleet.runners.values())
            taken = sum(runner.taken for runner in self.fleet.runners.values())
            running = sum(len(runner.running) for runner in self.fleet.runners.values())
            pages = self._settings.pool.pages * len(self.fleet.runners)
            self._metrics.states(runners, {"running": running, "other": taken - running, "free": pages - taken})
            await asyncio.sleep(GAUGES_SECONDS)

    def _fleet(self, name: str, resources: RunnerResources) -> Fleet:
        return Fleet(name, resources, self._give_up_profile)

    def _kill_all(self, reason: str) -> None:
        for runner in list(self.fleet.runners.values()):
            runner.kill(reason, charged=False)

    def _dismiss(self, runner_id: str) -> None:
        self.fleet.dismiss(runner_id, "its egress listener is lost")

    async def _give_up_profile(self, context: ContextKey, fence: int | None) -> None:
        if context.profile_id is not None and fence is not None:
            await self.settlement.release(context.tenant_id, context.profile_id, fence)


def _not_deleted(error: ProfileError) -> None:
    log.error("a removed profile is not deleted", reason=str(error))
