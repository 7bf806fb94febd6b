"""The metrics of a process of the HTTP API. Names start with `pageworker_api_`.

Values of labels are of the API's own tables, paths of its operations and codes of its problems: no client can make one.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
OTHER = "other"
"""The route of a path that is none of the API's."""


class ApiMetrics:
    """One process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "pageworker_api_requests",
            "Requests by the path of the operation (`other`: none) and the class of the status, such as `2xx`.",
            ("route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "pageworker_api_request_seconds",
            "Seconds from the head of a request to the begin of its answer, the `wait` for a result included.",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.refused = Counter(
            "pageworker_api_refused",
            "Requests that were refused, by the `code` of the problem; `job_invalid` stands for all errors of a job.",
            ("code",),
            registry=self.registry,
        )
        self.audit_records_lost = Counter(
            "pageworker_api_audit_records_lost",
            "Cancellations that are not in the audit log, although the API has its key.",
            ("reason",),
            registry=self.registry,
        )
        self.connections = Gauge("pageworker_api_connections", "Open connections.", registry=self.registry)
        self.streams = Gauge("pageworker_api_event_streams", "Clients that follow events.", registry=self.registry)

    def observe(self, open_connections: Callable[[], float], open_streams: Callable[[], float]) -> None:
        """Read these numbers for each scrape."""
        self.connections.set_function(open_connections)
        self.streams.set_function(open_streams)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """A request got its answer."""
        self.requests.labels(route, f"{status // 100}xx").inc()
        self.seconds.labels(route).observe(seconds)

    def audit_record_lost(self, reason: str) -> None:
        """A cancellation is not in the audit log."""
        self.audit_records_lost.labels(reason).inc()

    def expose(self) -> bytes:
        """In the text format of Prometheus."""
        return generate_latest(self.registry)


def api_metrics_table() -> str:
    """The table of docs/metrics.md in Markdown, one row per metric."""
    rows = ["| metric | kind | labels | |", "|---|---|---|---|"]
    for metric in vars(ApiMetrics()).values():
        if isinstance(metric, Counter | Gauge | Histogram):
            (family,) = metric.describe()
            name = family.name + ("_total" if isinstance(metric, Counter) else "")
            rows.append(f"| `{name}` | {family.type} | {', '.join(metric._labelnames)} | {family.documentation} |")
    return "\n".join(rows) + "\n"
