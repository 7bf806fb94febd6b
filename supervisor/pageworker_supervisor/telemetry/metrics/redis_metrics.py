"""Redis, as this worker sees it."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class RedisMetrics:
    """Redis, as this worker sees it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.up = Gauge("pageworker_redis_up", "1 while Redis answers.", registry=registry)
        self.reconnects = Counter(
            "pageworker_redis_reconnects", "Times that the connection to Redis came back.", registry=registry
        )
