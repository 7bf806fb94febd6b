"""Reports rollout entries that name versions which the signed index does not permit. Such an entry has no effect."""

from collections.abc import Callable, Mapping

import msgspec

from pageworker_sandbox.signing import IndexedModule
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.redis_client.errors import RedisClientError
from pageworker_supervisor.registry.version_choice import not_permitted
from pageworker_supervisor.rollouts.rollout_entry import RolloutEntry
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

FLEET_EVENTS = "events:_fleet"


class RefusedEntries:
    """Compares entries with the index, and reports each refused version once until it is permitted."""

    def __init__(
        self,
        redis_client: RedisClient,
        prefix: str,
        worker: str,
        listed: Callable[[str], IndexedModule | None],
        metrics: Metrics,
    ) -> None:
        """`listed(module)`: as the accepted index lists it."""
        self._redis_client = redis_client
        self._channel = f"{prefix}:{FLEET_EVENTS}"
        self._worker = worker
        self._listed = listed
        self._metrics = metrics
        self._reported: frozenset[tuple[str, str]] = frozenset()

    def found(self, entries: Mapping[str, RolloutEntry]) -> frozenset[tuple[str, str]]:
        """Modules, and versions that the index does not permit now."""
        return frozenset(
            (module, version)
            for module, entry in entries.items()
            for version in not_permitted(self._listed(module), entry)
        )

    async def report(self, entries: Mapping[str, RolloutEntry]) -> None:
        """Report what is new. Never raises for Redis."""
        refused = self.found(entries)
        new, self._reported = refused - self._reported, refused
        self._metrics.modules.rollout_versions_refused.set(len(refused))
        for module, version in sorted(new):
            reason = f"the signed index does not permit {module} {version}"
            log.warning("rollout entry ignored", module=module, version=version, reason=reason)
            detail = {"module": module, "version": version, "reason": reason}
            event = {"event": "rollout_refused", "worker_id": self._worker, "detail": detail}
            try:
                await self._redis_client.send("PUBLISH", self._channel, msgspec.json.encode(event), key=self._channel)
            except RedisClientError as error:
                log.info("event not published", reason=str(error))
