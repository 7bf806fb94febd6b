"""A histogram for calls that are too frequent for the usual one: it costs well below a microsecond. Pure."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from pageworker_supervisor.telemetry.label_values import OTHER

MAX_OPERATIONS = 100
"""Values of the label. All others are `other`."""


class Timings(Collector):
    """A histogram of seconds with one label. Without a lock: only the event loop's thread may call `observe`."""

    def __init__(
        self, name: str, documentation: str, label: str, buckets: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self.label = label
        self._name = name
        self._documentation = documentation
        self._bounds = tuple(buckets)
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}
        registry.register(self)

    def observe(self, value: str, seconds: float) -> None:
        """Count one call that took so long. `value`: of the label."""
        counts = self._counts.get(value)
        if counts is None:
            value, counts = self._new(value)
        counts[bisect_left(self._bounds, seconds)] += 1
        self._sums[value] += seconds

    def describe(self) -> Iterable[Metric]:
        """The family without samples."""
        return [HistogramMetricFamily(self._name, self._documentation, labels=[self.label])]

    def collect(self) -> Iterable[Metric]:
        """The family with its samples."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=[self.label])
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        # A copy: a scrape may run in another thread.
        for value, counts in list(self._counts.items()):
            total, buckets = 0, []
            for name, count in zip(names, counts, strict=True):
                total += count
                buckets.append((name, float(total)))
            family.add_metric([value], buckets, self._sums[value])
        return [family]

    def _new(self, value: str) -> tuple[str, list[int]]:
        if len(self._counts) >= MAX_OPERATIONS:
            value = OTHER
        if value not in self._counts:
            self._counts[value] = [0] * (len(self._bounds) + 1)
            self._sums[value] = 0.0
        return value, self._counts[value]
