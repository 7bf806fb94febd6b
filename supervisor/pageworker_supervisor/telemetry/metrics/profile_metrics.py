"""Snapshots and logins of profiles."""

from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Histogram

from pageworker_supervisor.telemetry.metrics.bounded import Bounded
from pageworker_supervisor.telemetry.metrics.buckets import FAST
from pageworker_supervisor.telemetry.metrics.timestamps import TimestampGauge

CheckpointResult = Literal["stored", "not_taken", "not_stored", "restored", "not_restored"]


class ProfileMetrics:
    """What moves between this worker and the snapshot store."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.seconds = Histogram(
            "pageworker_profile_snapshot_seconds",
            "Seconds to fetch and unpack a snapshot, or to pack, store and verify one.",
            ("step",),
            buckets=FAST,
            registry=registry,
        )
        self.bytes = Counter(
            "pageworker_profile_snapshot_bytes",
            "Bytes of snapshots that were fetched or stored.",
            ("step",),
            registry=registry,
        )
        self.failures = Counter(
            "pageworker_profile_snapshot_failures",
            "Snapshots that were not fetched or stored, by the kind of error. What is retried counts each time.",
            ("step", "reason"),
            registry=registry,
        )
        self._failures = Bounded(self.failures)
        self.waits_since = TimestampGauge(
            "pageworker_profile_unpublished_timestamp_seconds",
            "Since when the oldest profile waits whose folder here no snapshot has. No sample without one.",
            registry=registry,
        )
        self.damaged = Counter(
            "pageworker_profile_damaged",
            "Damaged databases that were found in profiles and snapshots. Each check counts one at most.",
            registry=registry,
        )
        self.logins = Counter(
            "pageworker_profile_login_reports",
            "Reports whether a profile is logged in, by state.",
            ("state",),
            registry=registry,
        )

        self.checkpoints = Counter(
            "pageworker_profile_checkpoints",
            "Checkpoints of open profiles: taken and stored, or put into the next browser after a kill.",
            ("result",),
            registry=registry,
        )

    def checkpoint(self, result: CheckpointResult) -> None:
        """Count one step of a checkpoint."""
        self.checkpoints.labels(result).inc()

    def moved(self, step: Literal["fetch", "publish"], seconds: float, size_bytes: int) -> None:
        """Count a snapshot that was fetched or published."""
        self.seconds.labels(step).observe(seconds)
        self.bytes.labels(step).inc(size_bytes)

    def login_reported(self, state: str) -> None:
        """Count a report. `state`: `authenticated`, `needs_login` or `needs_human`."""
        self.logins.labels(state).inc()

    def failed(self, step: Literal["fetch", "publish"], reason: str) -> None:
        """Count a failure. `reason`: the class of its error, such as `SnapshotStoreAway`."""
        self._failures.of(step, reason).inc()
