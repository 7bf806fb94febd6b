"""The metrics of the fleet process: names, kinds, and no sample of what is not known."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pageworker_supervisor.telemetry.fleet_metrics import FLEET_METRICS, PREFIX, expose_fleet, fleet_metrics_table


def samples(text: bytes) -> dict[str, float]:
    """By name, and value of the label."""
    return {
        " ".join((sample.name, *sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_each_number_has_its_sample() -> None:
    found = samples(
        expose_fleet(
            {
                "jobs": {"inbox": 3, "queued": 0},
                "wanted_workers": 7,
                "redis_evicted_keys_total": 5,
                "heartbeat_age_seconds": None,
            }
        )
    )
    assert found == {
        "pageworker_fleet_jobs inbox": 3,
        "pageworker_fleet_jobs queued": 0,
        "pageworker_fleet_wanted_workers": 7,
        "pageworker_fleet_redis_evicted_keys_total": 5,
    }


def test_labels_of_any_text_stay_one_sample() -> None:
    found = samples(expose_fleet({"jobs": {'a"\n{}': 1}}))
    assert found == {'pageworker_fleet_jobs a"\n{}': 1}


def test_a_name_that_is_no_metric_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="job_count"):
        expose_fleet({"job_count": 1})


def test_every_metric_can_be_exposed_and_is_in_the_table() -> None:
    text = expose_fleet({metric.name: {"x": 1} if metric.label else 1 for metric in FLEET_METRICS}).decode()
    table = fleet_metrics_table()
    for metric in FLEET_METRICS:
        family = (PREFIX + metric.name).removesuffix("_total") if metric.kind == "counter" else PREFIX + metric.name
        assert f"# TYPE {family}" in text or f"# TYPE {PREFIX}{metric.name}" in text
        assert f"| `{PREFIX}{metric.name}` | {metric.kind} |" in table
        assert metric.help.endswith(".")
