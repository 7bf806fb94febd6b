"""Label values that several subjects share."""

from pageworker_supervisor.telemetry.label_values import MAX_LABELS, OTHER
from pageworker_supervisor.telemetry.metrics.labels import MetricLabels


def test_only_tenants_of_the_configuration_have_a_value() -> None:
    labels = MetricLabels(["acme", "*", "b-?"])
    assert [labels.tenant(name) for name in ("acme", "*", "b-?", "b-1")] == ["acme", OTHER, OTHER, OTHER]
    labels.know_tenants(["b-1"])
    assert [labels.tenant(name) for name in ("acme", "b-1")] == ["acme", "b-1"]


def test_modules_that_ran_have_a_value() -> None:
    labels = MetricLabels()
    assert labels.module("forged", learn=False) == OTHER
    assert labels.module("shop.product") == "shop.product"
    seen = {labels.module(f"m{number}") for number in range(2 * MAX_LABELS)}
    assert len(seen) == MAX_LABELS
    assert labels.module("shop.product", learn=False) == "shop.product"
