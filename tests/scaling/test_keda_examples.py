"""The examples of deploy/keda name what the fleet process serves."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pageworker_supervisor.config.scaling_settings import ScalingSettings
from pageworker_supervisor.scaling.fleet_api import WantedWorkers
from pageworker_supervisor.telemetry.fleet_metrics import FLEET_METRICS, PREFIX

ROOT = Path(__file__).parents[2]
KEDA = ROOT / "deploy" / "keda"


def scaled_object(name: str) -> dict[str, Any]:
    """The `spec` of an example."""
    document = yaml.safe_load((KEDA / name).read_text())
    assert (document["apiVersion"], document["kind"]) == ("keda.sh/v1alpha1", "ScaledObject")
    return dict(document["spec"])


def test_the_api_example_asks_for_a_field_of_the_answer() -> None:
    (trigger,) = scaled_object("metrics-api.yaml")["triggers"]
    assert trigger["type"] == "metrics-api"
    assert trigger["metadata"]["url"].endswith("/wanted")
    assert trigger["metadata"]["valueLocation"] in WantedWorkers.__struct_fields__
    assert trigger["metadata"]["targetValue"] == "1"


def test_the_prometheus_example_asks_for_a_metric() -> None:
    (trigger,) = scaled_object("prometheus.yaml")["triggers"]
    assert trigger["type"] == "prometheus"
    assert trigger["metadata"]["query"] in {f"max({PREFIX}{metric.name})" for metric in FLEET_METRICS}
    assert trigger["metadata"]["threshold"] == "1"
    assert trigger["metadata"]["ignoreNullValues"] == "false"


@pytest.mark.parametrize("name", ["metrics-api.yaml", "prometheus.yaml"])
def test_the_autoscaler_has_the_bounds_of_the_settings_and_does_not_wait_itself(name: str) -> None:
    spec = scaled_object(name)
    settings = ScalingSettings()
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (settings.min_workers, settings.max_workers)
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert {behavior[way]["stabilizationWindowSeconds"] for way in ("scaleUp", "scaleDown")} == {0}


@pytest.mark.parametrize("name", ["metrics-api.yaml", "prometheus.yaml"])
def test_the_page_shows_the_triggers_of_the_examples(name: str) -> None:
    page = (ROOT / "docs" / "scaling.md").read_text()
    (trigger,) = scaled_object(name)["triggers"]
    assert f"type: {trigger['type']}" in page
    for key in ("url", "valueLocation", "targetValue", "serverAddress", "query", "threshold", "ignoreNullValues"):
        if key in trigger["metadata"]:
            assert f'{key}: "{trigger["metadata"][key]}"' in page
