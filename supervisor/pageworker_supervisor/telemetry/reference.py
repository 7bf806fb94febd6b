"""Generates the tables of all metrics in docs/metrics.md: `python -m pageworker_supervisor.telemetry.reference`."""

import sys

from prometheus_client import Counter

from pageworker_supervisor.telemetry.api_metrics import api_metrics_table
from pageworker_supervisor.telemetry.fleet_metrics import fleet_metrics_table
from pageworker_supervisor.telemetry.metrics import Metrics
from pageworker_supervisor.telemetry.metrics.metrics import AnyMetric
from pageworker_supervisor.telemetry.metrics.timings import Timings


def metrics_table() -> str:
    """Markdown: a heading and a table per subject, one row per metric."""
    metrics, lines = Metrics(), list[str]()
    for name, subject in metrics.by_subject():
        lines += [f"### {name.capitalize()}", "", str(getattr(metrics, name).__doc__), ""]
        lines += ["| metric | kind | labels | |", "|---|---|---|---|", *map(_row, subject), ""]
    return "\n".join(lines[:-1]) + "\n"


def _row(metric: AnyMetric) -> str:
    (family,) = metric.describe()
    name = family.name + ("_total" if isinstance(metric, Counter) else "")
    labels = [metric.label] if isinstance(metric, Timings) else metric._labelnames
    return f"| `{name}` | {family.type} | {', '.join(labels)} | {family.documentation} |"


if __name__ == "__main__":
    sys.stdout.write(metrics_table() + "\n" + fleet_metrics_table() + "\n" + api_metrics_table())
