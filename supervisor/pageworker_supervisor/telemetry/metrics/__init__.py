"""The metrics of a worker, one class per subject. Names start with `pageworker_`; times are seconds, sizes bytes."""

from pageworker_supervisor.telemetry.metrics.metrics import Metrics

__all__ = ["Metrics"]
