"""The failures of the store are labels of a metric, so they are a fixed set."""

from typing import get_args

import pytest

from pageworker_supervisor.artifacts.errors import ArtifactError, ArtifactFailure
from pageworker_supervisor.telemetry.metrics import Metrics


@pytest.mark.parametrize("failure", get_args(ArtifactFailure))
def test_every_failure_is_counted_under_its_name(failure: ArtifactFailure) -> None:
    error, metrics = ArtifactError(failure, "why"), Metrics()
    metrics.results.not_stored(error.type)
    assert str(error) == "why"
    assert metrics.registry.get_sample_value("pageworker_artifacts_total", {"outcome": failure}) == 1
