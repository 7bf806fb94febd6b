"""A gauge that has no sample while there is nothing to show. Pure."""

from collections.abc import Iterable

from prometheus_client import Gauge
from prometheus_client.core import Metric


class TimestampGauge(Gauge):
    """A Unix time in seconds, or no sample. A 0 would be an expiry in 1970, and an alert."""

    _known = False

    def show(self, unix_seconds: float | None) -> None:
        """Set it; None: no sample."""
        self._known = unix_seconds is not None
        if unix_seconds is not None:
            self.set(unix_seconds)

    def collect(self) -> Iterable[Metric]:
        """The family, with its sample if it is known."""
        for family in super().collect():
            if not self._known:
                family.samples = []
            yield family
