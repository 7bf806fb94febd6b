"""The central configuration."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from pageworker_supervisor.telemetry.metrics.bounded import Bounded


class ConfigMetrics:
    """The central configuration."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.version = Gauge(
            "pageworker_config_version",
            "Version of the central configuration that this worker runs.",
            registry=registry,
        )
        self.invalid = Gauge(
            "pageworker_config_invalid",
            "1 while the central configuration is invalid on this worker, which runs an older version.",
            registry=registry,
        )
        self.votes = Counter(
            "pageworker_config_votes",
            "Changes of the central configuration that this worker checked, by its vote.",
            ("vote",),
            registry=registry,
        )
        self.source_up = Gauge(
            "pageworker_config_source_up",
            "1 while the Parameter Store that holds the central configuration can be read, and without one.",
            registry=registry,
        )
        self.source_up.set(1)
        self.refused = Counter(
            "pageworker_config_refused",
            "Versions and changes of the central configuration that are not valid on this worker.",
            registry=registry,
        )
        self._votes = Bounded(self.votes)

    def voted(self, vote: str) -> None:
        """Count a vote on a change of the central configuration: `accepted` or `refused`."""
        self._votes.of(vote).inc()
