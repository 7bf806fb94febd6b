"""Tables of calls on `Metrics`, and what they change, as Prometheus reads it."""

from collections.abc import Callable, Sequence

from prometheus_client.parser import text_string_to_metric_families

from pageworker_supervisor.telemetry.metrics import Metrics

Call = tuple[Callable[[Metrics], None], dict[str, float]]
"""A call on `Metrics`, and by how much it changes which samples."""


def totals(metrics: Metrics) -> dict[str, float]:
    """The sum of each sample over all labels."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(metrics.expose().decode()):
        for sample in family.samples:
            if not sample.name.endswith(("_created", "_bucket", "_count")):
                found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


def changes(call: Callable[[Metrics], None], *tenants: str) -> dict[str, float]:
    """By how much a call changes which samples of new metrics."""
    metrics = Metrics(tenants)
    before = totals(metrics)
    call(metrics)
    after = totals(metrics)
    return {name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name)}


def unchanged(subject: str, calls: Sequence[Call]) -> list[str]:
    """Names of the subject's metrics that no call of the table changes."""
    changed = {name for _, change in calls for name in change}
    families = [family for metric in dict(Metrics().by_subject())[subject] for family in metric.describe()]
    return [
        family.name
        for family in families
        if not changed & {family.name, f"{family.name}_total", f"{family.name}_sum", f"{family.name}_info"}
    ]
