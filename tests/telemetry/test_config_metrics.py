"""Each call on `Metrics.config` changes what it is for."""

from collections.abc import Callable

import pytest
from pw_metrics import Call, changes, unchanged

from pageworker_supervisor.telemetry.metrics import Metrics

CALLS: list[Call] = [
    (lambda metrics: metrics.config.refused.inc(), {"pageworker_config_refused_total": 1}),
    (lambda metrics: metrics.config.version.set(4), {"pageworker_config_version": 4}),
    (lambda metrics: metrics.config.invalid.set(1), {"pageworker_config_invalid": 1}),
    (lambda metrics: metrics.config.source_up.set(0), {"pageworker_config_source_up": -1}),
    (lambda metrics: metrics.config.voted("refused"), {"pageworker_config_votes_total": 1}),
]


@pytest.mark.parametrize(("call", "change"), CALLS, ids=[" ".join(change) for _, change in CALLS])
def test_a_call_changes_its_metrics_and_no_other(call: Callable[[Metrics], None], change: dict[str, float]) -> None:
    assert changes(call, "acme") == change


def test_every_metric_of_the_subject_changes() -> None:
    assert unchanged("config", CALLS) == []
