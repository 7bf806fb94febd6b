"""What every runner of this worker shares: the host it stands on, the gateway, the profiles, the settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

from pageworker_profiles import ProfileFolders, ProfileTooLarge
from pageworker_sandbox.egress.messages import EgressPolicy
from pageworker_sandbox.hostname import policy_host_glob
from pageworker_sandbox.launch import Host
from pageworker_supervisor.artifacts.store import ArtifactStore
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.tenant_lookup import limits_for
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners.egress_sets import EgressSets
from pageworker_supervisor.runners.gateway_process import GatewayProcess
from pageworker_supervisor.runners.limit_breach import Breach, profile_breach
from pageworker_supervisor.runners.uid_pool import UidPool
from pageworker_supervisor.telemetry.metrics import Metrics


@dataclass(frozen=True)
class RunnerFolder:
    """A runner's only writable place outside of its memory (None: it has none, its profile is a tmpfs).

    `uid` is the user it belongs to, None our own.
    """

    path: Path | None
    uid: int | None
    profiles: ProfileFolders

    async def breach(self) -> Breach | None:
        """Measure it: whether it holds more than a profile may. Raises ProfileError."""
        if self.path is None:
            return None
        try:
            await self.profiles.measure(self.path)
        except ProfileTooLarge as large:
            return profile_breach(large)
        return None


@dataclass(frozen=True)
class RunnerResources:
    """Shared by all runners of a worker."""

    settings: Settings
    host: Host
    outlet: GatewayProcess
    profiles: ProfileFolders
    artifacts: ArtifactStore
    metrics: Metrics
    uids: UidPool
    egress_sets: EgressSets

    @asynccontextmanager
    async def folder(self, context: ContextKey, fence: int | None) -> AsyncIterator[RunnerFolder]:
        """The context's folder, locked for as long as the block runs. Raises ProfileError."""
        with self.uids.lent() as uid:
            if context.profile_id is None:
                yield RunnerFolder(None, uid, self.profiles)
            else:
                opened = await self.profiles.open(context.tenant_id, context.profile_id, fence, uid)
                with closing(opened) as lease:
                    yield RunnerFolder(lease.path, uid, self.profiles)

    def policy(self, context: ContextKey) -> EgressPolicy:
        """What a runner may reach for all its life: hosts that its tenant allows, and all its modules."""
        egress = self.settings.egress
        tenant = limits_for(self.settings.tenants, context.tenant_id)
        return EgressPolicy(
            hosts=(
                tuple(policy_host_glob(glob) for glob in tenant.egress) if tenant else (),
                self.egress_sets.hosts(context.egress),
            ),
            ports=egress.ports,
            fixed={policy_host_glob(host): address for host, address in egress.hosts.items()},
            connect_seconds=egress.connect_seconds,
        )
