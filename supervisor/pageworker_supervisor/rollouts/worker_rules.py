"""What a worker's registry asks when it chooses a version: the settings and the rollout entries of this moment."""

from collections.abc import Callable

from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.tenant_lookup import limits_for
from pageworker_supervisor.registry.version_choice import WorkerScope, scope_of
from pageworker_supervisor.rollouts.rollout_entry import RolloutEntry


class WorkerRules:
    """The VersionRules of one worker."""

    def __init__(self, live: Live[Settings], entry: Callable[[str], RolloutEntry | None]) -> None:
        """`entry(module)`: the rollout entry that counts now."""
        self._live = live
        self._entry = entry

    def scope(self) -> WorkerScope:
        """The worker's tags and channels."""
        settings = self._live.value
        return scope_of(settings.worker.tags, settings.modules.tag_channels, settings.modules.channel)

    def tenant_pin(self, tenant_id: str, module: str) -> str | None:
        """The version that `pins` of the tenant names."""
        return limits_for(self._live.value.tenants, tenant_id).pins.get(module)

    def entry(self, module: str) -> RolloutEntry | None:
        """The rollout entry of the module."""
        return self._entry(module)
