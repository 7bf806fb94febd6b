"""Jobs and attempts: how they ended, how long they took."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from pageworker_supervisor.contract.result import Status
from pageworker_supervisor.telemetry.metrics.buckets import FAST
from pageworker_supervisor.telemetry.metrics.labels import MetricLabels

RUN = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 900)


class JobMetrics:
    """Jobs and attempts: how they ended, how long they took."""

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

    def finished(self, module: str, tenant_id: str, status: Status, queued: float, ran: float) -> None:
        """Count a job that has its result. The module name of a rejected job is not verified, so it gets no label
        value."""
        name = self._labels.module(module, learn=status != "rejected")
        tenant = self._labels.tenant(tenant_id)
        self.jobs.labels(status, name, tenant).inc()
        self.queue_seconds.labels(tenant).observe(queued)
        if ran:
            self.run_seconds.labels(name).observe(ran)

    def admitted(self, seconds: float) -> None:
        """Observe the time from claim to start of the handler."""
        self.admit_seconds.observe(seconds)

    def lost(self, tenant_id: str) -> None:
        """Count a lease that this worker has lost."""
        self.leases_lost.labels(self._labels.tenant(tenant_id)).inc()

    def retried(self, module: str) -> None:
        """Count an attempt that is followed by another one."""
        self.retries.labels(self._labels.module(module)).inc()

    def deferred(self, reason: str) -> None:
        """Count a job that went back without using up an attempt. `reason` is a short identifier, not a sentence."""
        self.defers.labels(reason).inc()

    def rejected(self, reason: str) -> None:
        """Count a text that is not a valid job. `reason` is the `type` of a ContractError."""
        self.rejections.labels(reason).inc()
