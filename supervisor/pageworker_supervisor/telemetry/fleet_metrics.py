"""The metrics of the fleet process: numbers of the whole queue and of all workers. Names start with
`pageworker_fleet_`.

They are read from Redis for each sample, so nothing is counted here. A number that is not known has no sample.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Numbers = Mapping[str, float | Mapping[str, float] | None]
"""By name without `pageworker_fleet_`: the number, or numbers by the value of the label. None: not known."""
PREFIX = "pageworker_fleet_"


@dataclass(frozen=True)
class FleetMetric:
    """One metric. A counter's name ends with `_total`."""

    name: str
    help: str
    label: str | None = None

    @property
    def kind(self) -> Literal["counter", "gauge"]:
        """What Prometheus calls it."""
        return "counter" if self.name.endswith("_total") else "gauge"

    def family(self, number: float | Mapping[str, float]) -> Metric:
        """The metric with its samples."""
        family = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        labels = [] if self.label is None else [self.label]
        found = family(PREFIX + self.name, self.help, labels=labels)
        samples = number.items() if isinstance(number, Mapping) else [(None, number)]
        for value, sample in samples:
            found.add_metric([] if value is None else [value], sample)
        return found


FLEET_METRICS = (
    FleetMetric("jobs", "Jobs without a result, and pushed texts that no worker has taken in yet, by state.", "state"),
    FleetMetric(
        "oldest_job_seconds",
        "Age of the oldest job in a state: since its push (`inbox`, `stream`), since it was ready to run (`queued`; "
        "`runnable`: of those that no limit holds up), since it was due (`delayed`), since its claim (`running`).",
        "state",
    ),
    FleetMetric("throttled_tenants", "Tenants with jobs that wait for a limit, by the kind of the limit.", "reason"),
    FleetMetric(
        "paused",
        "Pauses in force, by what is paused: tenant, module or domain by an operator, budget: a tenant by its budget.",
        "kind",
    ),
    FleetMetric("leases", "Jobs that a worker has claimed."),
    FleetMetric("leases_expired", "Claimed jobs whose worker has not extended its lease in time."),
    FleetMetric("dead_letters", "Dead letters."),
    FleetMetric("outbox_entries", "Callbacks that are not delivered yet."),
    FleetMetric("outbox_oldest_seconds", "Age of the callback that is due first."),
    FleetMetric("workers", "Workers by the state that they reported; `silent`: no report for 30 s.", "state"),
    FleetMetric("heartbeat_age_seconds", "Time since the last heartbeat of the worker that was silent longest."),
    FleetMetric("wanted_workers", "Workers that the fleet needs (docs/scaling.md)."),
    FleetMetric("redis_up", "1 while the fleet process can read Redis. While it is 0, no other number is known."),
    FleetMetric("redis_evicted_keys_total", "Keys that Redis has deleted for want of memory, over all primaries."),
    FleetMetric("redis_memory_bytes", "Memory that Redis uses, over all primaries."),
    FleetMetric("redis_maxmemory_bytes", "The `maxmemory` of Redis, over all primaries; 0: no limit."),
)
NAMES = frozenset(metric.name for metric in FLEET_METRICS)


class _OneReading(Collector):
    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers

    def collect(self) -> Iterator[Metric]:
        for metric in FLEET_METRICS:
            number = self._numbers.get(metric.name)
            if number is not None:
                yield metric.family(number)


def expose_fleet(numbers: Numbers) -> bytes:
    """The numbers in the text format of Prometheus. Raises ValueError for a name that is no metric."""
    if unknown := numbers.keys() - NAMES:
        raise ValueError(f"no metric of the fleet: {sorted(unknown)}")
    registry = CollectorRegistry()
    registry.register(_OneReading(numbers))
    return generate_latest(registry)


def fleet_metrics_table() -> str:
    """The table of docs/metrics.md in Markdown, one row per metric."""
    rows = ["| metric | kind | labels | |", "|---|---|---|---|"]
    rows += [
        f"| `{PREFIX}{metric.name}` | {metric.kind} | {metric.label or ''} | {metric.help} |"
        for metric in FLEET_METRICS
    ]
    return "\n".join(rows) + "\n"
