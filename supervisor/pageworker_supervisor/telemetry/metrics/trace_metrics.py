"""Traces of jobs."""

from prometheus_client import CollectorRegistry, Counter


class TraceMetrics:
    """Traces of jobs."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.dropped = Counter(
            "pageworker_spans_dropped",
            "Spans that the collector did not take in time, or refused.",
            registry=registry,
        )

    def spans_dropped(self, count: int) -> None:
        """Count spans that were dropped."""
        self.dropped.inc(count)
