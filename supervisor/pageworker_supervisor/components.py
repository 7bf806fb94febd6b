"""All components of the supervisor, built in the order in which they depend on each other.

Reading order of one job: intake, queue, dispatch, runners, (runner) modules, pages, and back through dispatch's
settlement to delivery.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NoReturn

from pageworker_profiles import ProfileError
from pageworker_sandbox.launch import Host
from pageworker_sandbox.launch.pressure import memory_stall
from pageworker_sandbox.state_machine import label
from pageworker_supervisor.artifacts.link_secret import ArtifactLinks
from pageworker_supervisor.artifacts.store import ArtifactStore
from pageworker_supervisor.audit.decisions import Decisions
from pageworker_supervisor.config.egress_budget import EgressBudgets
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.load import LocalLayers
from pageworker_supervisor.config.module_isolation import ModuleIsolation
from pageworker_supervisor.config.settings import Settings, TenantSettings
from pageworker_supervisor.config.tenant_lookup import ProfilePages, limits_for
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.delivery.callback_secrets import CallbackSecrets
from pageworker_supervisor.delivery.callback_sender import CallbackSender
from pageworker_supervisor.dispatch.attempt_services import AttemptServices
from pageworker_supervisor.dispatch.blocker_response import BlockerResponse
from pageworker_supervisor.dispatch.dispatcher import Dispatcher
from pageworker_supervisor.dispatch.heartbeat import Heartbeat
from pageworker_supervisor.dispatch.limits_watch import LimitsWatch
from pageworker_supervisor.dispatch.login_reports import LoginReports
from pageworker_supervisor.dispatch.reaper import reap
from pageworker_supervisor.dispatch.settlement import Settlement
from pageworker_supervisor.files.job_files import JobFiles
from pageworker_supervisor.host.host_load import LoadReader
from pageworker_supervisor.host.memory import host_memory_bytes
from pageworker_supervisor.host.uid_ranges import IdRange
from pageworker_supervisor.input_schema.input_checks import InputChecks
from pageworker_supervisor.intake import Admission, Intake
from pageworker_supervisor.intake.enqueuer import ModuleContext
from pageworker_supervisor.intake.timing import IntakeTimeouts
from pageworker_supervisor.profile_stores.open_store import ProfileHost, open_profiles
from pageworker_supervisor.proxies.health import UpstreamReports
from pageworker_supervisor.proxies.policies import ProxyPolicies
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.options import LEASE_MS, OUTBOX_LEASE_MS, queue_options
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.registry.blocker_rules import BlockerRulesFollower
from pageworker_supervisor.runners.browser_flavors import BrowserFlavors
from pageworker_supervisor.runners.dial_rules import Policies, dial_rules, dialled_policies
from pageworker_supervisor.runners.egress_sets import EgressSets
from pageworker_supervisor.runners.fleet import Fleet
from pageworker_supervisor.runners.gateway_process import GatewayEvents, GatewayProcess
from pageworker_supervisor.runners.load_watch import LoadWatch
from pageworker_supervisor.runners.option_sets import OptionSets
from pageworker_supervisor.runners.request_permits import RequestPermits
from pageworker_supervisor.runners.resources import RunnerResources
from pageworker_supervisor.runners.runner_usage import RunnerUsage
from pageworker_supervisor.runners.spares import SPARE
from pageworker_supervisor.runners.stall_meter import StallMeter
from pageworker_supervisor.runners.uid_pool import UidPool
from pageworker_supervisor.secrets.backend import SecretBackend
from pageworker_supervisor.secrets.fleet_secrets import FleetSecrets
from pageworker_supervisor.secrets.grants import SecretGrants
from pageworker_supervisor.secrets.open_backend import open_backend
from pageworker_supervisor.secrets.secret_service import SecretService
from pageworker_supervisor.secrets.store import SecretStore
from pageworker_supervisor.telemetry import log, mask_lines
from pageworker_supervisor.telemetry.lag import watch_lag
from pageworker_supervisor.telemetry.metrics import Metrics
from pageworker_supervisor.telemetry.outbox_depth import watch_outbox_depth
from pageworker_supervisor.telemetry.recent_lines import RecentLines
from pageworker_supervisor.tracing.tracing import Tracing

GAUGES_SECONDS = 2.0
SELF_CHECKS_SECONDS = 20.0
"""Between two looks at the conditions that must hold while the worker serves."""


@dataclass(frozen=True)
class Timeouts:
    """After how long a silent worker counts as dead, and how often checks are repeated. Tests use shorter times."""

    lease_ms: int = LEASE_MS
    outbox_lease_ms: int = OUTBOX_LEASE_MS
    intake: IntakeTimeouts = field(default_factory=IntakeTimeouts)
    self_checks_seconds: float = SELF_CHECKS_SECONDS


@dataclass(frozen=True)
class HostEnvironment:
    """What the worker was started with, and what it found on its host."""

    settings: Settings
    data_dir: Path
    host: Host
    metrics: Metrics
    timeouts: Timeouts = Timeouts()
    uids: IdRange | None = None
    """User ids for gateway and runners; None: they have the daemon's own."""
    http_ports: tuple[int, ...] = ()
    """Ports of the operator's endpoints, once they are bound."""
    local: LocalLayers | None = None
    """The file and the environment behind `settings`. None: nothing is read from the central configuration."""
    recent_lines: RecentLines = field(default_factory=RecentLines)
    """The newest log lines, for the control socket."""
    decisions: Decisions = field(default_factory=Decisions)
    """What the worker decides by itself, for the audit log."""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    """The worker's environment, where two secret backends look."""
    secret_backend: SecretBackend | None = None
    """In place of the one that the settings name. A local run has one."""
    local_profiles: bool = False
    """Profiles are in this data folder alone, and no Redis records where they live: a local run."""

    @cached_property
    def live(self) -> Live[Settings]:
        """The settings that count now. They begin as `settings`; the central configuration replaces them."""
        return Live(self.settings)


class Components:
    """Everything that runs while the worker is up."""

    def __init__(
        self, environment: HostEnvironment, name: str, redis_client: RedisClient, queue: QueueClient, registry: Registry
    ) -> None:
        """`name`: the worker as the queue knows it, which holds leases and profile locks."""
        live, metrics = environment.live, environment.metrics
        settings = live.value
        tenants, uids = live.part(lambda now: now.tenants), UidPool(environment.uids)
        availability = redis_client.availability
        self.redis_client, self.queue, self.registry = redis_client, queue, registry
        self.input_checks = InputChecks()
        self._live = live
        self._dialled: Policies = settings.proxies
        self._own_ports = {*redis_client.ports, *redis_client.ingress.ports, *environment.http_ports}
        self.upstreams = UpstreamReports(metrics, settings.proxies)
        self.gateway = GatewayProcess(
            environment.host,
            uids.gateway,
            dial_rules(settings.egress, self._own_ports, settings.proxies),
            metrics,
            GatewayEvents(
                came_up=lambda: self.fleet.look(),
                lost=self._gateway_lost,
                listener_lost=lambda runner_id: self.fleet.dismiss(runner_id, "its egress listener is lost"),
                upstream=self.upstreams.report,
            ),
            settings.egress.proxy_ca,
        )
        self.gateway.use(settings.egress)
        self.secrets = SecretStore(environment.secret_backend or open_backend(settings.secrets, environment.environ))
        secret_service = SecretService(self.secrets, SecretGrants(live.part(lambda now: now.secrets.grants)), metrics)
        mask_lines(partial(secret_service.log_masker.text, cut=False))
        fleet_secrets = FleetSecrets(self.secrets, secret_service.log_masker, metrics)
        links = ArtifactLinks.of(settings, fleet_secrets)
        self.artifacts = ArtifactStore.of(settings.artifacts, environment.data_dir, metrics, links)
        place = ProfileHost(environment.data_dir, environment.host.namespace_descriptor, environment.local_profiles)
        self.profiles, self.profile_reports = open_profiles(
            settings, place, queue.profile_stores, availability, fleet_secrets, metrics
        )
        self.tracing = Tracing(
            settings.tracing, settings.redis.prefix, settings.worker.id, fleet_secrets, metrics.traces.spans_dropped
        )
        self.proxies = proxies = ProxyPolicies(tenants, live.part(lambda now: now.proxies), fleet_secrets)
        proxies.on_login(lambda: self.fleet.reroute())
        budgets = EgressBudgets(live.part(lambda now: now.egress), tenants)
        egress_sets, option_sets = EgressSets(), OptionSets()
        browsers = BrowserFlavors(environment.host.browsers, settings.browser.flavor)

        def tenant_settings(tenant_id: str) -> TenantSettings:
            return limits_for(tenants.value, tenant_id)

        profile_pages = ProfilePages(settings.profiles.page, tenant_settings)
        self.requests = RequestPermits(
            domains=lambda: live.value.domains,
            rates=queue.request_rates,
            availability=availability,
            longest_seconds=lambda: live.value.egress.request_wait_seconds,
            counts=queue.request_counts,
            worker_id=settings.worker.id,
        )
        isolation = ModuleIsolation(live.part(lambda now: now.modules))
        rules_dir = environment.data_dir / "blocker_rules"
        self.blocker_rules = BlockerRulesFollower(settings.blockers.rules, rules_dir, lambda: registry.trust)
        self._resources = resources = RunnerResources(
            worker_id=settings.worker.id,
            pool=settings.pool,
            sandbox=settings.sandbox,
            egress=settings.egress,
            failure_artifacts=settings.artifacts.on_failure,
            browser_log=settings.log.browser,
            tenant_settings=tenant_settings,
            host=environment.host,
            gateway=self.gateway,
            profiles=self.profiles,
            metrics=metrics,
            decisions=environment.decisions,
            uids=uids,
            egress_sets=egress_sets,
            option_sets=option_sets,
            browsers=browsers,
            proxies=proxies,
            requests=self.requests,
            host_memory_bytes=host_memory_bytes(),
            checkpoint_seconds=lambda: live.value.profiles.checkpoint_seconds,
            blocker_rules=lambda: self.blocker_rules.file,
        )
        about = (name, settings.worker.id, settings.jobs)
        logins = LoginReports(queue.profile_logins, metrics, settings.profiles.probe_seconds)
        local = environment.local_profiles
        blockers = BlockerResponse(tenant_settings, queue.profile_cooling, queue.pauses, metrics, is_local=local)
        self.settlement = Settlement(
            *(*about, queue.consumer, availability, metrics, logins, registry.running_rollout, blockers)
        )
        self.fleet = self._fleet(name, resources, (settings.sandbox.python, settings.browser.executable))
        self.services = services = AttemptServices(
            jobs=settings.jobs,
            kill_grace_seconds=settings.pool.kill_grace_seconds,
            registry=registry,
            input_checks=self.input_checks,
            artifacts=self.artifacts,
            files=JobFiles(live.part(lambda now: now.files), settings.egress.hosts, environment.data_dir),
            settlement=self.settlement,
            fleet=self.fleet,
            isolation=isolation,
            profile_pages=profile_pages,
            egress_sets=egress_sets,
            option_sets=option_sets,
            browsers=browsers,
            flags=settings.flags,
            blockers=live.part(lambda now: now.blockers),
            secrets=secret_service,
            budgets=budgets,
            proxies=proxies,
            metrics=metrics,
            config_version=lambda: self.limits.config_version,
            tenant_settings=tenant_settings,
            tracer=self.tracing.tracer,
        )
        consumer, closed = queue.consumer, not settings.modules.names_keys
        self.dispatcher = Dispatcher(name, consumer, availability, self.fleet, services, closed=closed)
        self.limits = LimitsWatch(name, queue.limits, availability, settings)
        self.heartbeat = Heartbeat(consumer, availability, self.dispatcher, self.fleet, name, metrics, self.limits)
        self.callback_sender = CallbackSender(
            queue.outbox,
            availability,
            settings.callbacks,
            settings.worker.id,
            tenant_settings,
            CallbackSecrets(self.secrets).secret,
            metrics,
            self.tracing.tracer,
        )
        self.intake = Intake(
            redis_client,
            queue.producer,
            Admission.of(settings),
            settings.redis.prefix,
            settings.worker.id,
            metrics,
            environment.timeouts.intake,
            ModuleContext(registry, profile_pages, proxies, budgets, isolation).with_context,
            self.tracing.tracer,
        )
        self._metrics, self._usage = metrics, RunnerUsage(metrics.runners)
        admission, load = live.part(lambda now: now.admission), LoadReader(environment.host.cgroups)
        self.load = LoadWatch(admission, load.read, self.fleet.admit, metrics.health)
        self._stalls = StallMeter(metrics.runners, partial(memory_stall, environment.host.cgroups))
        self._artifact_settings = live.part(lambda now: now.artifacts)
        live.on_change(self._use)

    def _use(self, settings: Settings) -> None:
        """Settings have changed while the worker runs. Each component ignores what is the same as before.

        Attempts that run keep what they began with. A runner that was started with other settings takes no more jobs.
        """
        pool, jobs = settings.pool, settings.jobs
        self._resources = replace(
            self._resources,
            pool=pool,
            egress=settings.egress,
            failure_artifacts=settings.artifacts.on_failure,
            browser_log=settings.log.browser,
        )
        self._use_dial_rules()
        self.upstreams.use(settings.proxies)
        self.fleet.use(self._resources)
        self.gateway.use(settings.egress)
        self.services = replace(
            self.services, jobs=jobs, kill_grace_seconds=pool.kill_grace_seconds, flags=settings.flags
        )
        self.dispatcher.use(self.services)
        self.settlement.use(jobs)
        self.intake.use(Admission.of(settings))
        self.callback_sender.use(settings.callbacks)
        self.registry.use(settings.modules.refresh_seconds)
        self.queue.use(queue_options(settings, self.queue.options))
        self.tracing.use(settings.tracing)
        self._metrics.know_tenants(settings.tenants)

    def tasks(self) -> dict[str, Coroutine[Any, Any, None]]:
        """Every long-lived task by name. Each runs until it is cancelled; one that ends is a bug."""
        return {
            "redis": self.redis_client.availability.run(),
            "egress": self.gateway.run(),
            "open_requests": self.requests.run(),
            "registry": self.registry.run(),
            "blocker_rules": self.blocker_rules.run(lambda: self.fleet.use(self._resources)),
            "input_checks": self.input_checks.run(),
            "artifacts": self.artifacts.run_sweeps(self._artifact_settings),
            "files": self.services.files.run(),
            "secrets": self.secrets.run(),
            "proxies": self.proxies.run(),
            "profiles": self.profiles.run(_not_deleted),
            "profile_reports": self.profile_reports.run(),
            "logins": self.settlement.logins.run(),
            "fleet": self.fleet.run(),
            "load": self.load.run(),
            "dispatch": self.dispatcher.run(),
            "heartbeat": self.heartbeat.run(),
            "notifications": self.dispatcher.listen(),
            "reaper": reap(self.queue.consumer, self.redis_client.availability),
            "callback_sender": self.callback_sender.run(),
            "intake": self.intake.run(),
            "tracing": self.tracing.run(),
            "lag": watch_lag(self._metrics),
            "outbox_depth": watch_outbox_depth(self._metrics, self._outbox_depth),
            "gauges": self._measure(),
        }

    def _use_dial_rules(self) -> None:
        """A proxy policy that is removed may be dialled until the last runner that has it is gone."""
        settings = self._live.value
        in_use = {runner.context.proxy for runner in self.fleet.runners.values()}
        self._dialled = dialled_policies(settings.proxies, self._dialled, in_use)
        self.gateway.use_rules(dial_rules(settings.egress, self._own_ports, self._dialled))

    def _gateway_lost(self, reason: str) -> None:
        self.upstreams.forget()
        self.fleet.kill_all(reason)

    async def _outbox_depth(self) -> int:
        shards = await self.redis_client.availability.retry_until_available(self.queue.inspection.stats)
        self._metrics.results.batches.set(sum(shard.batches for shard in shards))
        return sum(shard.outbox_entries for shard in shards)

    async def _measure(self) -> NoReturn:
        while True:
            self._show_bounds()
            every = list(self.fleet.runners.values())
            serving = [runner for runner in every if runner.context != SPARE]
            runners = Counter(label(runner.state) for runner in serving)
            runners["spare"] = len(every) - len(serving)
            taken = sum(runner.taken for runner in serving)
            running = sum(len(runner.running) for runner in serving)
            pages = sum(runner.pages for runner in serving)
            for runner in every:
                runner.traffic.look()
            self._usage.show(self.fleet.runners)
            self._stalls.show()
            self._metrics.runners.states(runners, {"running": running, "other": taken - running, "free": pages - taken})
            await asyncio.sleep(GAUGES_SECONDS)

    def _show_bounds(self) -> None:
        """How much this worker may have, and when what it has been given ends."""
        settings, now = self._live.value, time.time()
        pool = settings.pool
        self._metrics.runners.bounds(pool.runners, pool.pages, settings.sandbox.memory_bytes)
        expires, ends_in = self.registry.status.expires, self.secrets.ends_in()
        self._metrics.modules.expiry.show(expires.timestamp() if expires is not None else None)
        if settings.secrets.backend is not None:
            self._metrics.secrets.expires(settings.secrets.backend, None if ends_in is None else now + ends_in)

    def _fleet(self, name: str, resources: RunnerResources, probe_paths: tuple[Path | None, Path | None]) -> Fleet:
        return Fleet(name, resources, probe_paths, self._runner_gone)

    async def _runner_gone(self, context: ContextKey, fence: int | None) -> None:
        if context.proxy:
            self._use_dial_rules()
        if context.profile_id is not None and fence is not None:
            await self.settlement.release(context.tenant_id, context.profile_id, fence)


def _not_deleted(error: ProfileError) -> None:
    log.error("a removed profile is not deleted", reason=str(error))
