"""Secrets."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from pageworker_supervisor.telemetry.metrics.bounded import Bounded
from pageworker_supervisor.telemetry.metrics.labels import MetricLabels


class SecretMetrics:
    """The secret backend, and what modules ask of it."""

    def __init__(self, registry: CollectorRegistry, labels: MetricLabels) -> None:
        self._labels = labels
        self.requests = Counter(
            "pageworker_secret_requests",
            "Secrets that modules asked for, by outcome.",
            ("outcome", "tenant"),
            registry=registry,
        )
        self.expiry = Gauge(
            "pageworker_secret_expiry_timestamp_seconds",
            "When the first lease or login of the secret backend ends unless it is renewed. No sample without one.",
            ("backend",),
            registry=registry,
        )
        self._requests = Bounded(self.requests, keep=1)
        self._expiry = Bounded(self.expiry)

    def requested(self, outcome: str, tenant_id: str) -> None:
        """Count a secret that a module asked for: `granted`, `denied`, `missing` or `unavailable`."""
        self._requests.of(outcome, self._labels.tenant(tenant_id)).inc()

    def expires(self, backend: str, unix_seconds: float | None) -> None:
        """Set when the backend's first lease or login ends; None: it has none."""
        if unix_seconds is None:
            self._expiry.drop(backend)
        else:
            self._expiry.of(backend).set(unix_seconds)
