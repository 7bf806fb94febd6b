"""Each call on `Metrics.traces` changes what it is for."""

from collections.abc import Callable

import pytest
from pw_metrics import Call, changes, unchanged

from pageworker_supervisor.telemetry.metrics import Metrics

CALLS: list[Call] = [
    (lambda metrics: metrics.traces.spans_dropped(3), {"pageworker_spans_dropped_total": 3}),
]


@pytest.mark.parametrize(("call", "change"), CALLS, ids=[" ".join(change) for _, change in CALLS])
def test_a_call_changes_its_metrics_and_no_other(call: Callable[[Metrics], None], change: dict[str, float]) -> None:
    assert changes(call, "acme") == change


def test_every_metric_of_the_subject_changes() -> None:
    assert unchanged("traces", CALLS) == []
