"""Jobs and attempts: how they ended, how long they took."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from pageworker_supervisor.contract.result import BlockerKind, Status
from pageworker_supervisor.telemetry.metrics.bounded import Bounded
from pageworker_supervisor.telemetry.metrics.buckets import FAST
from pageworker_supervisor.telemetry.metrics.labels import MetricLabels

LATENCY = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600, 21600)
"""A job may wait for hours, by its sender's will or for its tenant's limits."""
RUN = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 900)


class JobMetrics:
    """What became of jobs, and how long it took."""

    def __init__(self, registry: CollectorRegistry, labels: MetricLabels) -> None:
        self._labels = labels
        self.jobs = Counter(
            "pageworker_jobs", "Jobs that have ended, by status.", ("status", "module", "tenant"), registry=registry
        )
        self.queue_seconds = Histogram(
            "pageworker_job_queue_seconds",
            "Seconds that jobs waited in Redis.",
            ("tenant",),
            buckets=FAST,
            registry=registry,
        )
        self.admit_seconds = Histogram(
            "pageworker_job_admit_seconds",
            "Seconds from claim to start of the handler.",
            buckets=FAST,
            registry=registry,
        )
        self.run_seconds = Histogram(
            "pageworker_job_run_seconds", "Seconds in the handler.", ("module",), buckets=RUN, registry=registry
        )
        self.latency_seconds = Histogram(
            "pageworker_job_latency_seconds",
            "Seconds from the first push of a job to its stored result. The exemplars are trace ids.",
            ("module",),
            buckets=LATENCY,
            registry=registry,
        )
        self.blockers = Counter(
            "pageworker_blockers",
            "Jobs that ended as `blocked`, by what blocked them.",
            ("kind", "module"),
            registry=registry,
        )
        self.blocker_actions = Counter(
            "pageworker_blocker_actions",
            "What policies of tenants did after blocked attempts: `retry`, `proxy`, `cool_profile`, `pause_domain`.",
            ("action", "kind"),
            registry=registry,
        )
        self.retries = Counter(
            "pageworker_job_retries", "Attempts that are followed by another one.", ("module",), registry=registry
        )
        self.defers = Counter(
            "pageworker_job_defers",
            "Jobs put back into the queue without using up an attempt.",
            ("reason",),
            registry=registry,
        )
        self.leases_lost = Counter(
            "pageworker_leases_lost",
            "Leases of this worker that expired or went to another worker.",
            ("tenant",),
            registry=registry,
        )
        self.rejections = Counter(
            "pageworker_intake_rejections",
            "Pushed texts that were not a valid job, by error type.",
            ("reason",),
            registry=registry,
        )
        self._jobs = Bounded(self.jobs, keep=1)
        self._queue_seconds = Bounded(self.queue_seconds)
        self._run_seconds = Bounded(self.run_seconds)
        self._latency_seconds = Bounded(self.latency_seconds)
        self._blockers = Bounded(self.blockers, keep=1)
        self._retries = Bounded(self.retries)
        self._defers = Bounded(self.defers)
        self._leases_lost = Bounded(self.leases_lost)
        self._rejections = Bounded(self.rejections)

    def finished(self, module: str, tenant_id: str, status: Status, queued: float, ran: float) -> None:
        """Count a job that has its result. The module name of a rejected job is not verified, so it gets no label
        value."""
        name = self._labels.module(module, learn=status != "rejected")
        tenant = self._labels.tenant(tenant_id)
        self._jobs.of(status, name, tenant).inc()
        self._queue_seconds.of(tenant).observe(queued)
        if ran:
            self._run_seconds.of(name).observe(ran)

    def answered(self, module: str, seconds: float, trace_id: str) -> None:
        """Observe the time from the first push of a job to its stored result. Call it after `finished`.

        `trace_id` has 32 hex digits, and is the exemplar.
        """
        name = self._labels.module(module, learn=False)
        self._latency_seconds.of(name).observe(seconds, {"trace_id": trace_id})

    def blocked(self, module: str, kind: BlockerKind) -> None:
        """Count a job that ended as `blocked`."""
        self._blockers.of(kind, self._labels.module(module)).inc()

    def blocker_action(self, action: str, kind: BlockerKind) -> None:
        """Count what was done after a blocked attempt."""
        self.blocker_actions.labels(action, kind).inc()

    def admitted(self, seconds: float) -> None:
        """Observe the time from claim to start of the handler."""
        self.admit_seconds.observe(seconds)

    def lost(self, tenant_id: str) -> None:
        """Count a lease that this worker has lost."""
        self._leases_lost.of(self._labels.tenant(tenant_id)).inc()

    def retried(self, module: str) -> None:
        """Count an attempt that is followed by another one."""
        self._retries.of(self._labels.module(module)).inc()

    def deferred(self, reason: str) -> None:
        """Count a job that went back without using up an attempt. `reason` is a short identifier, not a sentence."""
        self._defers.of(reason).inc()

    def rejected(self, reason: str) -> None:
        """Count a text that is not a valid job. `reason` is the `type` of a ContractError."""
        self._rejections.of(reason).inc()
