"""Redis, as this worker sees it."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from pageworker_supervisor.telemetry.metrics.timings import Timings

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class RedisMetrics:
    """Redis, as this worker sees it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.up = Gauge("pageworker_redis_up", "1 while Redis answers.", registry=registry)
        self.reconnects = Counter(
            "pageworker_redis_reconnects", "Times that the connection to Redis came back.", registry=registry
        )
        self.seconds = Timings(
            "pageworker_redis_seconds",
            "Seconds per call of Redis, by function or command. Calls that block on purpose are left out.",
            "operation",
            SECONDS,
            registry,
        )
