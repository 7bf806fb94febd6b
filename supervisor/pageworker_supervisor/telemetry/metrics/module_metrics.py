"""The registry of modules."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from pageworker_supervisor.telemetry.metrics.bounded import Bounded
from pageworker_supervisor.telemetry.metrics.timestamps import TimestampGauge


class ModuleMetrics:
    """The module registry."""

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
        self.expiry = TimestampGauge(
            "pageworker_registry_expiry_timestamp_seconds",
            "When the module index expires. No sample while there is no index.",
            registry=registry,
        )
        self.signature_failures = Counter(
            "pageworker_signature_failures",
            "Module indexes and bundles whose signature or serial did not hold, by reason, at each try.",
            ("reason",),
            registry=registry,
        )
        self.rollout_versions_refused = Gauge(
            "pageworker_rollout_versions_refused",
            "Versions that rollout entries name and the signed index does not permit: the worker ignores them.",
            registry=registry,
        )
        self.load_failures = Counter(
            "pageworker_module_load_failures",
            "Versions of modules that failed to import or failed their own test, once per tenant.",
            registry=registry,
        )
        self.rollout_decisions = Counter(
            "pageworker_rollout_decisions",
            "Rollouts that this worker promoted or rolled back by the automatic decision.",
            ("decision",),
            registry=registry,
        )
        self._rollout_decisions = Bounded(self.rollout_decisions)
        self._index_refusals = Bounded(self.index_refusals)
        self._signature_failures = Bounded(self.signature_failures)

    def index_refused(self, reason: str) -> None:
        """Count a module index that was refused. `reason` is the `type` of the ModuleError."""
        self._index_refusals.of(reason).inc()

    def load_failed(self) -> None:
        """Count a version that does not load."""
        self.load_failures.inc()

    def signature_failed(self, reason: str) -> None:
        """Count an index or bundle that was not trusted: `bad_signature`, `untrusted_key`, `rolled_back`."""
        self._signature_failures.of(reason).inc()

    def rollout_decided(self, decision: str) -> None:
        """Count an automatic decision: `promote`, `roll_back`."""
        self._rollout_decisions.of(decision).inc()
