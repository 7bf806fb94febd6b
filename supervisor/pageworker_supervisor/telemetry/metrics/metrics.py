"""All metrics of a worker, by subject."""

from collections.abc import Collection, Iterator

from prometheus_client import CollectorRegistry, Counter, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics import MetricWrapperBase

from pageworker_supervisor.telemetry.metrics.config_metrics import ConfigMetrics
from pageworker_supervisor.telemetry.metrics.egress_metrics import EgressMetrics
from pageworker_supervisor.telemetry.metrics.health_metrics import HealthMetrics
from pageworker_supervisor.telemetry.metrics.job_metrics import JobMetrics
from pageworker_supervisor.telemetry.metrics.labels import MetricLabels
from pageworker_supervisor.telemetry.metrics.module_metrics import ModuleMetrics
from pageworker_supervisor.telemetry.metrics.profile_metrics import ProfileMetrics
from pageworker_supervisor.telemetry.metrics.redis_metrics import RedisMetrics
from pageworker_supervisor.telemetry.metrics.result_metrics import ResultMetrics
from pageworker_supervisor.telemetry.metrics.runner_metrics import RunnerMetrics
from pageworker_supervisor.telemetry.metrics.secret_metrics import SecretMetrics
from pageworker_supervisor.telemetry.metrics.timings import Timings
from pageworker_supervisor.telemetry.metrics.trace_metrics import TraceMetrics

AnyMetric = MetricWrapperBase | Timings

# Prometheus stores the time at which a series began as one more series, and no query here needs it.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library gives it no types


class Metrics:
    """Metrics of one worker, in their own registry. `tenants` are the tenants with their own label value."""

    def __init__(self, tenants: Collection[str] = (), *, version: str = "", worker_id: str = "") -> None:
        self.registry = CollectorRegistry()
        self._labels = MetricLabels(tenants)
        self.jobs = JobMetrics(self.registry, self._labels)
        self.runners = RunnerMetrics(self.registry)
        self.profiles = ProfileMetrics(self.registry)
        self.egress = EgressMetrics(self.registry, self._labels)
        self.results = ResultMetrics(self.registry)
        self.modules = ModuleMetrics(self.registry)
        self.config = ConfigMetrics(self.registry)
        self.secrets = SecretMetrics(self.registry, self._labels)
        self.redis = RedisMetrics(self.registry)
        self.traces = TraceMetrics(self.registry)
        self.health = HealthMetrics(self.registry, version, worker_id)

    def know_tenants(self, tenants: Collection[str]) -> None:
        """Give these tenants a label value of their own, as far as there is space. Those that had one keep it."""
        self._labels.know_tenants(tenants)

    def by_subject(self) -> Iterator[tuple[str, list[AnyMetric]]]:
        """Each subject's name and its metrics, in the order of the documentation."""
        for name, subject in vars(self).items():
            if found := [metric for metric in vars(subject).values() if isinstance(metric, AnyMetric)]:
                yield name, found

    def totals(self) -> dict[str, float]:
        """Totals of all counters over all labels, by name without prefix: `jobs`, `job_retries`, …"""
        counted = (metric for _, metrics in self.by_subject() for metric in metrics if isinstance(metric, Counter))
        families = (family for metric in counted for family in metric.collect())
        return {
            family.name.removeprefix("pageworker_"): sum(
                sample.value for sample in family.samples if sample.name.endswith("_total")
            )
            for family in families
        }

    def expose(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        return self.negotiate("")[0]

    def negotiate(self, accept: str) -> tuple[bytes, str]:
        """All metrics, and their content type. `accept`: the header of the request.

        The format is the text format of Prometheus, or OpenMetrics for those that ask for it: it has exemplars.
        """
        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # a version that is no number
            encode, content_type = choose_encoder("")
        return encode(self.registry), content_type
