"""The worker itself."""

import platform

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pageworker_supervisor.telemetry.metrics.bounded import Bounded
from pageworker_supervisor.telemetry.metrics.timestamps import TimestampGauge

LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


class HealthMetrics:
    """The worker process itself."""

    def __init__(self, registry: CollectorRegistry, version: str, worker_id: str) -> None:
        self.ready = Gauge("pageworker_ready", "1 while this worker takes jobs.", registry=registry)
        self.draining = Gauge(
            "pageworker_draining",
            "1 from the begin of a drain until this worker takes jobs again.",
            registry=registry,
        )
        self.drain_deadline = TimestampGauge(
            "pageworker_drain_deadline_timestamp_seconds",
            "When a drain that is under way requeues what still runs. No sample without one.",
            registry=registry,
        )
        self.loop_lag_seconds = Histogram(
            "pageworker_loop_lag_seconds", "Seconds by which the event loop is late.", buckets=LAG, registry=registry
        )
        self.connections_dropped = Counter(
            "pageworker_http_connections_dropped",
            "Connections to http.bind that the worker closed because they were too many or too slow.",
            ("reason",),
            registry=registry,
        )
        self.self_checks = Gauge(
            "pageworker_self_check_failed",
            "1 while this self-check fails, 0 while it passes or is not known.",
            ("check",),
            registry=registry,
        )
        self.clock_jumps = Counter(
            "pageworker_clock_jumps", "Jumps of the clock of this host or of Redis.", ("clock",), registry=registry
        )
        self.audit_records_lost = Counter(
            "pageworker_audit_records_lost",
            "Decisions of this worker that are not in the audit log.",
            ("reason",),
            registry=registry,
        )
        self.admission = Gauge(
            "pageworker_admission_closed",
            "What this load of the host keeps the worker from claiming: 0 nothing, 1 jobs that need a new runner, "
            "2 all jobs.",
            ("reason",),
            registry=registry,
        )
        self.api_up = Gauge(
            "pageworker_api_up",
            "1 while the HTTP API of `api.with_worker` runs; 0 also without that setting.",
            registry=registry,
        )
        self.api_ends = Counter(
            "pageworker_api_ends", "Times that the HTTP API of `api.with_worker` ended by itself.", registry=registry
        )
        self.build = Gauge(
            "pageworker_build_info",
            "Always 1. The labels are versions and the worker.",
            ("version", "python", "worker"),
            registry=registry,
        )
        self._connections_dropped = Bounded(self.connections_dropped)
        self._self_checks = Bounded(self.self_checks)
        self._admission = Bounded(self.admission)
        self._clock_jumps = Bounded(self.clock_jumps)
        self._audit_records_lost = Bounded(self.audit_records_lost)
        self.build.labels(version, platform.python_version(), worker_id).set(1)

    def drain_began(self, deadline_unix_seconds: float) -> None:
        """This worker takes no jobs until `drain_left`."""
        self.draining.set(1)
        self.drain_deadline.show(deadline_unix_seconds)

    def drain_done(self) -> None:
        """Nothing runs any more."""
        self.drain_deadline.show(None)

    def drain_left(self) -> None:
        """This worker takes jobs again."""
        self.draining.set(0)
        self.drain_deadline.show(None)

    def connection_dropped(self, reason: str) -> None:
        """Count a connection that `http.bind` closed: `crowded`, `head_timeout`, `answer_timeout`, `stopping`."""
        self._connections_dropped.of(reason).inc()

    def self_check(self, name: str, *, failed: bool) -> None:
        """Set whether the self-check of this name fails."""
        self._self_checks.of(name).set(int(failed))

    def admission_closed(self, reason: str, level: int) -> None:
        """Set the level of a load: 0 open, 1 no new runners, 2 no jobs."""
        self._admission.of(reason).set(level)

    def audit_record_lost(self, reason: str) -> None:
        """Count a decision that is not recorded: `full`, `too_many`, `refused`, `stopped`."""
        self._audit_records_lost.of(reason).inc()

    def clock_jumped(self, clock: str) -> None:
        """Count a jump of the clock of this host (`worker`) or of Redis (`redis`)."""
        self._clock_jumps.of(clock).inc()
