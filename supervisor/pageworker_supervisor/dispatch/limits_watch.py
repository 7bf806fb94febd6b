"""Puts the limits of this worker's configuration in force, and reports if those of another worker are in force instead.

The table of the highest configuration version holds. Workers without a central configuration all have version 0: of
these, the last one that started or changed its settings wins, so a change takes effect as soon as one worker has it.
The others say so in their log until they have it too.
"""

from typing import Literal

from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.queue.limits_in_force import LimitsInForce
from pageworker_supervisor.queue.limits_table import LimitsId, LimitsTable, limits_table
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.telemetry import log

Standing = Literal["in_force", "lost", "newer", "disagree"]


def standing(own: LimitsId, found: frozenset[LimitsId | None]) -> Standing:
    """What the tables that are in force on the shards mean for a worker with this one.

    `lost`: a shard has none or an older one, e.g. after a failover. `newer`: one of a higher version holds.
    `disagree`: one of the same version holds, with other limits.
    """
    if any(other is None or other.version < own.version for other in found):
        return "lost"
    if any(other is not None and other.version > own.version for other in found):
        return "newer"
    return "in_force" if found <= {own} else "disagree"


class LimitsWatch:
    """The limits of one worker."""

    def __init__(self, name: str, limits: LimitsInForce, availability: Availability, settings: Settings) -> None:
        self._name = name
        self._limits = limits
        self._availability = availability
        self._table: LimitsTable = limits_table(settings)
        self._told: frozenset[LimitsId | None] = frozenset()

    @property
    def config_version(self) -> int:
        """Version of the central configuration that the limits are of; 0 without one."""
        return self._table.id.version

    async def apply(self, settings: Settings, version: int = 0) -> None:
        """Put the limits of these settings in force. `version`: of the central configuration, 0 without one."""
        self.use(settings, version)
        await self._set()

    def use(self, settings: Settings, version: int) -> None:
        """Compare what is in force with these limits, which were put in force already."""
        self._table = limits_table(settings, version)

    async def look(self, found: frozenset[LimitsId | None]) -> None:
        """Act on what a heartbeat found on the shards. Raises RedisClientError."""
        match standing(self._table.id, found):
            case "lost":
                await self._limits.set(self._table, self._name)
                log.info("limits set again", limits=str(self._table.id))
            case "disagree" | "newer" as word if found != self._told:
                self._told = found
                ids = sorted(str(other) for other in found)
                why = "workers disagree on the limits" if word == "disagree" else "limits of a newer configuration hold"
                mend = "give all workers the same [tenants], [domains] and [limits], and start this one again"
                log.warning(why, own=str(self._table.id), in_force=ids, mend=mend)
            case "in_force":
                self._told = frozenset()

    async def _set(self) -> None:
        reply = await self._availability.retry_until_available(lambda: self._limits.set(self._table, self._name))
        log.info("limits", reply=reply, limits=str(self._table.id))
