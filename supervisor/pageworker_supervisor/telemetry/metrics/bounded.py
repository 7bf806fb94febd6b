"""Metrics with a bounded number of label sets. Pure."""

from typing import Generic, TypeVar

from prometheus_client.metrics import MetricWrapperBase

from pageworker_supervisor.telemetry.label_values import OTHER

MAX_SETS = 2000
"""Label sets per metric. All others are counted with `other` as the value of each label."""

M = TypeVar("M", bound=MetricWrapperBase)


class Bounded(Generic[M]):
    """The series of one metric, by label values. A known set costs one look into a dictionary."""

    def __init__(self, metric: M, *, keep: int = 0, limit: int = MAX_SETS) -> None:
        """`keep`: the first labels keep their values in any case, because the code alone chooses them."""
        self.metric = metric
        self._keep = keep
        self._limit = limit
        self._series: dict[tuple[str, ...], M] = {}
        self._rest: dict[tuple[str, ...], M] = {}

    def of(self, *values: str) -> M:
        """The series with these values, or with `other` where there are too many."""
        series = self._series.get(values)
        if series is None:
            if len(self._series) >= self._limit:
                return self._other(values)
            series = self._series[values] = self.metric.labels(*values)
        return series

    def drop(self, *values: str) -> None:
        """Remove the series with these values, if there is one."""
        if self._series.pop(values, None) is not None:
            self.metric.remove(*values)

    def _other(self, values: tuple[str, ...]) -> M:
        kept = (*values[: self._keep], *[OTHER] * (len(values) - self._keep))
        series = self._rest.get(kept)
        if series is None:
            series = self._rest[kept] = self.metric.labels(*kept)
        return series
