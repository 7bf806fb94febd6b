"""Each call on `Metrics.results` changes what it is for."""

from collections.abc import Callable

import pytest
from pw_metrics import Call, changes, unchanged

from pageworker_supervisor.telemetry.metrics import Metrics

CALLS: list[Call] = [
    (lambda metrics: metrics.results.outbox_depth.set(3), {"pageworker_outbox_depth": 3}),
    (lambda metrics: metrics.results.batches.set(2), {"pageworker_batches": 2}),
    (
        lambda metrics: metrics.results.callback("delivered", 0.25),
        {"pageworker_callbacks_total": 1, "pageworker_callback_seconds_sum": 0.25},
    ),
    (
        lambda metrics: metrics.results.stored(7),
        {"pageworker_artifacts_total": 1, "pageworker_artifact_bytes_total": 7},
    ),
    (lambda metrics: metrics.results.not_stored("store_full"), {"pageworker_artifacts_total": 1}),
]


@pytest.mark.parametrize(("call", "change"), CALLS, ids=[" ".join(change) for _, change in CALLS])
def test_a_call_changes_its_metrics_and_no_other(call: Callable[[Metrics], None], change: dict[str, float]) -> None:
    assert changes(call, "acme") == change


def test_every_metric_of_the_subject_changes() -> None:
    assert unchanged("results", CALLS) == []
