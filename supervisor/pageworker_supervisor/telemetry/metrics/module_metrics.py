"""The registry of modules."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class ModuleMetrics:
    """The registry of modules."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.serial = Gauge(
            "pageworker_registry_serial",
            "Highest serial of the module index that any worker has accepted.",
            registry=registry,
        )
        self.index_refusals = Counter(
            "pageworker_index_refusals",
            "Module indexes that the worker refused, by error type.",
            ("reason",),
            registry=registry,
        )

    def index_refused(self, reason: str) -> None:
        """Count a module index that was refused. `reason` is the `type` of the ModuleError."""
        self.index_refusals.labels(reason).inc()
