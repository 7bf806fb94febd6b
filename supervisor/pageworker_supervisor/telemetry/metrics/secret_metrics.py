"""Secrets."""

from prometheus_client import CollectorRegistry, Counter

from pageworker_supervisor.telemetry.metrics.labels import MetricLabels


class SecretMetrics:
    """Secrets."""

    def __init__(self, registry: CollectorRegistry, labels: MetricLabels) -> None:
        self._labels = labels
        self.requests = Counter(
            "pageworker_secret_requests",
            "Secrets that modules asked for, by outcome.",
            ("outcome", "tenant"),
            registry=registry,
        )

    def requested(self, outcome: str, tenant_id: str) -> None:
        """Count a secret that a module asked for: `granted`, `denied`, `missing` or `unavailable`."""
        self.requests.labels(outcome, self._labels.tenant(tenant_id)).inc()
