"""What all runners of this worker share: the host, the gateway, the profiles, the settings."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from msgspec.structs import replace

from pageworker_profiles import ProfileLease, ProfileTooLarge
from pageworker_profiles.backend import ProfileBackend
from pageworker_profiles.browser_version import BrowserVersion
from pageworker_profiles.checkpoint import ProfileCheckpoint
from pageworker_sandbox.blockers.rules import released_rules
from pageworker_sandbox.egress.messages import EgressPolicy
from pageworker_sandbox.egress.policy import CompiledPolicy
from pageworker_sandbox.hostname import policy_host_glob
from pageworker_sandbox.launch import Host, SandboxedProcess, SandboxSpec, launch
from pageworker_sandbox.task_group import TaskGroup
from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.audit.decisions import Decisions
from pageworker_supervisor.config.settings import EgressSettings, PoolSettings, SandboxSettings, TenantSettings
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.proxies.policies import PolicyGone, ProxyPolicies
from pageworker_supervisor.runners.browser_flavors import BrowserFlavors, FlavorMissing
from pageworker_supervisor.runners.browser_versions import BrowserVersions
from pageworker_supervisor.runners.egress_sets import EgressSets
from pageworker_supervisor.runners.errors import SpawnFailed
from pageworker_supervisor.runners.gateway_process import GatewayProcess
from pageworker_supervisor.runners.limit_breach import Breach, profile_breach
from pageworker_supervisor.runners.memory_fit import HOST_SHARE, LEAST_EXPECTED_BYTES
from pageworker_supervisor.runners.option_sets import OptionSets
from pageworker_supervisor.runners.placement import PoolRules
from pageworker_supervisor.runners.request_permits import RequestPermits
from pageworker_supervisor.runners.runner_turn import NO_TURN, RunnerTurn
from pageworker_supervisor.runners.spares import SPARE, Wants
from pageworker_supervisor.runners.uid_pool import UidPool
from pageworker_supervisor.telemetry.metrics import Metrics


@dataclass(frozen=True)
class RunnerFolder:
    """A runner's only writable folder outside of its memory. `path` None: it has none, its profile is a tmpfs.

    `uid`: the user that owns it; None: the daemon's own.
    """

    path: Path | None
    uid: int | None
    profiles: ProfileBackend
    descriptor: int | None = None
    """O_PATH descriptor of the folder at `path`, as it was checked. It belongs to the lease."""
    lease: ProfileLease | None = None
    fence: int | None = None
    """Under which the profile was opened."""

    async def breach(self) -> Breach | None:
        """Measure it: does it hold more than a profile may? Raises ProfileError."""
        if self.path is None:
            return None
        try:
            await self.profiles.measure(self.path)
        except ProfileTooLarge as large:
            return profile_breach(large)
        return None

    @property
    def checkpoint(self) -> ProfileCheckpoint | None:
        """What the last browser of the profile held before it was killed."""
        return None if self.lease is None else self.lease.checkpoint

    async def keep_checkpoint(self, checkpoint: ProfileCheckpoint) -> None:
        """Keep cookies and storage of the open profile. Raises ProfileError."""
        if self.lease is not None:
            await self.profiles.keep_checkpoint(self.lease, self.fence, checkpoint)

    async def keep(self, clean: bool, browser_version: str) -> None:
        """The runner's process tree has ended. `clean`: its browser was closed normally."""
        if self.lease is None:
            return
        # In a task of its own, for the reason that `SandboxedRunner._let_it_exit` has: a store that does not answer in
        # time would end as CancelledError, which would end the worker.
        async with TaskGroup() as tasks:
            keeping = self.profiles.release(self.lease, self.fence, clean=clean, browser_version=browser_version)
            tasks.create_task(keeping, name="keep profile")


@dataclass(frozen=True)
class RunnerResources:
    """What all runners of a worker share: settings, the host, the gateway, the profiles."""

    worker_id: str
    pool: PoolSettings
    sandbox: SandboxSettings
    egress: EgressSettings
    failure_artifacts: bool
    """Whether a failed attempt leaves a screenshot and the page's HTML."""
    browser_log: m.BrowserLevel
    """Lowest level of the lines of pages that a job's log has."""
    tenant_settings: Callable[[str], TenantSettings]
    """By tenant id."""
    host: Host
    gateway: GatewayProcess
    profiles: ProfileBackend
    metrics: Metrics
    decisions: Decisions
    uids: UidPool
    egress_sets: EgressSets
    option_sets: OptionSets
    browsers: BrowserFlavors
    proxies: ProxyPolicies
    requests: RequestPermits
    host_memory_bytes: int | None = None
    """Memory of the host, or of the worker's cgroup. None: it is not known."""
    browser_versions: BrowserVersions = field(default_factory=BrowserVersions)
    checkpoint_seconds: Callable[[], float] = lambda: 0.0
    """Interval of the checkpoints of profiles now; 0: off."""
    blocker_rules: Callable[[], bytes] = released_rules
    """The file of the blocker rules that count now. A runner that was started with others takes no more jobs."""

    @property
    def pool_rules(self) -> PoolRules:
        """The limits of the pool, as placement needs them. Spares have their part of the memory."""
        pool, host = self.pool, self.host_memory_bytes
        limit = pool.memory_bytes if pool.memory_bytes is not None or host is None else int(HOST_SHARE * host)
        left = None if limit is None else max(0, limit - pool.spares * LEAST_EXPECTED_BYTES)
        return PoolRules(pool.runners, pool.pages, pool.residency_seconds, self.proxies.one_page, left)

    @asynccontextmanager
    async def folder(self, context: ContextKey, fence: int | None) -> AsyncIterator[RunnerFolder]:
        """The context's folder, locked for as long as the block runs. Raises ProfileError, SpawnFailed."""
        with self.uids.lent() as uid:
            if context.profile_id is None:
                yield RunnerFolder(None, uid, self.profiles)
            else:
                browser = await self._browser_version(context)
                opened = await self.profiles.open(context.tenant_id, context.profile_id, fence, uid, browser)
                with closing(opened) as lease:
                    yield RunnerFolder(lease.path, uid, self.profiles, lease.folder_descriptor, lease, fence)

    async def _browser_version(self, context: ContextKey) -> BrowserVersion:
        try:
            binary = self.browsers.binary(context)
        except FlavorMissing as missing:
            raise SpawnFailed(str(missing)) from missing
        return await self.browser_versions.of(self.host.source_of(binary))

    async def launch(self, runner_id: str, folder: RunnerFolder) -> SandboxedProcess:
        """Start a runner's process in its sandbox. Raises HostUnfit, OSError."""
        spec = SandboxSpec(
            runner_id=runner_id,
            uid=folder.uid,
            profile_dir=folder.path,
            profile_fd=folder.descriptor,
            memory_bytes=self.sandbox.memory_bytes,
            processes=self.sandbox.processes,
            scratch_bytes=self.sandbox.scratch_bytes,
            scratch_files=self.sandbox.scratch_files,
        )
        return await launch(self.host, spec)

    def boot_message(self, runner_id: str, context: ContextKey) -> m.Boot:
        """What a runner has to know before it starts its browser. Raises SpawnFailed, FlavorMissing."""
        return m.Boot(
            protocol=m.PROTOCOL,
            runner_id=runner_id,
            worker_id=self.worker_id,
            tenant_id=context.tenant_id,
            persistent=context.profile_id is not None,
            pages=self.pages(context),
            browser=str(self.browsers.binary(context)),
            recycle_seconds=self.pool.recycle_seconds,
            max_jobs=self.pool.max_jobs,
            failure_artifacts=self.failure_artifacts,
            browser_log=self.browser_log,
            options=self.option_sets.options(context.options),
            memory_bytes=self.sandbox.memory_bytes,
            limited_hosts=self.limited_hosts(context),
            blocker_rules=self.blocker_rules(),
            spare=context == SPARE,
        )

    def permits_host(self, context: ContextKey) -> Callable[[str], bool]:
        """Whether a runner of this context may reach a host, by its name."""
        return CompiledPolicy(self._reach(context)).permits_host

    def limited_hosts(self, context: ContextKey) -> tuple[str, ...]:
        """Hosts and globs for which a runner of this context needs permits."""
        return self.requests.limited_hosts(self._permits_host(context))

    def _permits_host(self, context: ContextKey) -> Callable[[str], bool]:
        compiled = cache(lambda: self.permits_host(context))  # only where a host has a limit
        return lambda host: compiled()(host)

    def terms(self, context: ContextKey) -> object:
        """What a runner of this context keeps as long as it lives. Equal for equal settings."""
        pool = self.pool
        return (
            *(pool.pages, pool.recycle_seconds, pool.max_jobs, self.failure_artifacts, self.browser_log),
            *(self._reach(context), self.proxies.standing(context), self.limited_hosts(context), self.blocker_rules()),
        )

    def wants(self, context: ContextKey) -> Wants:
        """What a spare has to offer to serve this context. Raises FlavorMissing."""
        limited = bool(self.limited_hosts(context))
        return Wants(context, self.browsers.flavor(context), self.pages(context), limited)

    def pages(self, context: ContextKey) -> int:
        """Pages that a runner of this context has."""
        return 1 if context.has_one_page or context.proxy in self.proxies.one_page else self.pool.pages

    def policy(self, context: ContextKey, turn: RunnerTurn = NO_TURN) -> EgressPolicy:
        """What a runner may reach, and by which way now. `turn`: of the attempt that began last.

        Raises SpawnFailed: a runner whose proxy policy is gone never goes another way.
        """
        try:
            route = self.proxies.route(context, turn.attempt)
        except PolicyGone as gone:
            raise SpawnFailed(str(gone)) from gone
        return replace(
            self._reach(context),
            upstreams=route.upstreams,
            order=route.order,
            salt=route.salt,
            without_upstream=route.without_upstream,
            budget_bytes=turn.budget.bytes,
            budget_requests=turn.budget.requests,
            budget_turn=turn.number,
            blocked=self.option_sets.options(context.options).block_hosts or (),
            limited=tuple(host.strip("[]") for host in self.requests.hosts_at_gateway(self._permits_host(context))),
        )

    def _reach(self, context: ContextKey) -> EgressPolicy:
        """What a runner may reach as long as it lives: hosts that its tenant allows, and all its modules. A spare
        reaches nothing before it is adopted."""
        if context == SPARE:
            return EgressPolicy(ports=())
        return EgressPolicy(
            hosts=(
                tuple(policy_host_glob(glob) for glob in self.tenant_settings(context.tenant_id).egress),
                self.egress_sets.hosts(context.egress),
            ),
            ports=self.egress.ports,
            fixed={policy_host_glob(host): address for host, address in self.egress.hosts.items()},
            connect_seconds=self.egress.connect_seconds,
        )
