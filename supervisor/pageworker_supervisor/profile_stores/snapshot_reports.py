"""Tells of snapshots: log lines, metrics, and events on the channels of tenants."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import NoReturn

import msgspec

from pageworker_profiles.errors import ContentDamaged, ProfileError
from pageworker_profiles.snapshots.snapshot_folders import SnapshotEvents, Step
from pageworker_supervisor.queue.profile_stores import ProfileStores
from pageworker_supervisor.redis_client.errors import RedisClientError
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

WAITING = 1000
"""Events that wait for Redis. Like every event they are best effort."""


class SnapshotReports:
    """What `events` is called with reaches the log and the metrics at once, and the channels by `run`."""

    def __init__(self, stores: ProfileStores, metrics: Metrics) -> None:
        self._stores = stores
        self._metrics = metrics
        self._waiting: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(WAITING)

    @property
    def events(self) -> SnapshotEvents:
        """The calls."""
        profiles = self._metrics.profiles
        return SnapshotEvents(
            moved=profiles.moved,
            failed=self._failed,
            refused=self._refused,
            damaged=self.failed_check,
            set_aside=self._set_aside,
            waits_since=profiles.waits_since.show,
        )

    async def run(self) -> NoReturn:
        """Publish the events, until cancelled."""
        while True:
            tenant_id, event = await self._waiting.get()
            with suppress(RedisClientError):
                await self._stores.tell(tenant_id, event)

    def failed_check(self, tenant_id: str, profile_id: str, error: ProfileError) -> None:
        """A database of the profile is damaged (ContentDamaged), or its databases could not be checked."""
        if isinstance(error, ContentDamaged):
            self._metrics.profiles.damaged.inc()
            self._tell(tenant_id, profile_id, "damaged", {"reason": str(error)})
        else:
            log.bind(tenant_id=tenant_id, profile_id=profile_id).warning("a profile is not checked: {}", str(error))

    def _failed(self, step: Step, tenant_id: str, profile_id: str, error: ProfileError) -> None:
        self._metrics.profiles.failed(step, type(error).__name__)
        said = "a profile cannot be had" if step == "fetch" else "a profile is not published"
        log.bind(tenant_id=tenant_id, profile_id=profile_id, error=type(error).__name__).warning(
            "{}: {}", said, str(error)
        )

    def _refused(self, tenant_id: str, profile_id: str, snapshot: str, reason: str) -> None:
        self._tell(tenant_id, profile_id, "snapshot_refused", {"snapshot": snapshot, "reason": reason})

    def _set_aside(self, tenant_id: str, profile_id: str, reason: str) -> None:
        self._tell(tenant_id, profile_id, "set_aside", {"reason": reason})

    def _tell(self, tenant_id: str, profile_id: str, state: str, detail: dict[str, str]) -> None:
        log.bind(tenant_id=tenant_id, profile_id=profile_id, **detail).error("profile state: {}", state)
        event = {
            "event": "profile_state",
            "tenant_id": tenant_id,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "detail": {"profile_id": profile_id, "state": state, **detail},
        }
        with suppress(asyncio.QueueFull):
            self._waiting.put_nowait((tenant_id, msgspec.json.encode(event)))
