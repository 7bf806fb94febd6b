"""Generates the table of all metrics in docs/operations.md: `python -m pageworker_supervisor.telemetry.reference`."""

import sys

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from pageworker_supervisor.telemetry.metrics import Metrics

KINDS: dict[type[MetricWrapperBase], str] = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}


def metrics_table() -> str:
    """The table in Markdown, one row per metric."""
    rows = ["| metric | kind | labels | |", "|---|---|---|---|"]
    for _, metrics in Metrics().by_subject():
        rows += [_row(metric) for metric in metrics]
    return "\n".join(rows) + "\n"


def _row(metric: MetricWrapperBase) -> str:
    (family,) = metric.describe()
    name = family.name + ("_total" if isinstance(metric, Counter) else "")
    labels = ", ".join(metric._labelnames)
    return f"| `{name}` | {KINDS[type(metric)]} | {labels} | {family.documentation} |"


if __name__ == "__main__":
    sys.stdout.write(metrics_table())
