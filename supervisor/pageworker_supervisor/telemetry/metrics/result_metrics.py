"""What leaves with a result: callbacks and artifacts."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pageworker_supervisor.telemetry.metrics.bounded import Bounded
from pageworker_supervisor.telemetry.metrics.buckets import FAST


class ResultMetrics:
    """Callbacks and artifacts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.callbacks = Counter(
            "pageworker_callbacks", "Tries to deliver a callback, by outcome.", ("outcome",), registry=registry
        )
        self.callback_seconds = Histogram(
            "pageworker_callback_seconds",
            "Seconds per try, from the connection to the status of the response.",
            buckets=FAST,
            registry=registry,
        )
        self.outbox_depth = Gauge(
            "pageworker_outbox_depth",
            "Callbacks in the outbox of the whole queue: take the maximum of all workers, not the sum.",
            registry=registry,
        )
        self.batches = Gauge(
            "pageworker_batches",
            "Batches of the whole queue that are not complete: take the maximum of all workers, not the sum.",
            registry=registry,
        )
        self.artifacts = Counter(
            "pageworker_artifacts", "Artifacts that were stored or lost, by outcome.", ("outcome",), registry=registry
        )
        self.artifact_bytes = Counter("pageworker_artifact_bytes", "Bytes of stored artifacts.", registry=registry)
        self._callbacks = Bounded(self.callbacks)
        self._artifacts = Bounded(self.artifacts)

    def callback(self, outcome: str, seconds: float) -> None:
        """Count one try of a callback: `delivered`, `later` or `final`."""
        self._callbacks.of(outcome).inc()
        self.callback_seconds.observe(seconds)

    def stored(self, size_bytes: int) -> None:
        """Count an artifact that was stored."""
        self._artifacts.of("stored").inc()
        self.artifact_bytes.inc(size_bytes)

    def not_stored(self, reason: str) -> None:
        """Count an artifact that was lost. `reason` is the `type` of the ArtifactError."""
        self._artifacts.of(reason).inc()
