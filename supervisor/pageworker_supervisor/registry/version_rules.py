"""What a registry asks when it chooses a version: the settings and the rollout entries that count now."""

from typing import Protocol

from pageworker_supervisor.registry.version_choice import STABLE, WorkerScope
from pageworker_supervisor.rollouts.rollout_entry import RolloutEntry


class VersionRules(Protocol):
    """Answers for this moment: both settings and entries change while a worker runs."""

    def scope(self) -> WorkerScope:
        """What this worker follows."""

    def tenant_pin(self, tenant_id: str, module: str) -> str | None:
        """The version that the settings of a tenant pin."""

    def entry(self, module: str) -> RolloutEntry | None:
        """The rollout entry of a module; None if it has none."""


class FixedChannel:
    """One channel, without pins and rollouts: for a registry without Redis."""

    def __init__(self, channel: str) -> None:
        self._scope = WorkerScope(tuple(dict.fromkeys((channel, STABLE))))

    def scope(self) -> WorkerScope:
        """See VersionRules."""
        return self._scope

    def tenant_pin(self, tenant_id: str, module: str) -> None:
        """See VersionRules."""

    def entry(self, module: str) -> None:
        """See VersionRules."""
