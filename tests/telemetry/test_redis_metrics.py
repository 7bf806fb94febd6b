"""Each call on `Metrics.redis` changes what it is for."""

from collections.abc import Callable

import pytest
from pw_metrics import Call, changes, unchanged

from pageworker_supervisor.telemetry.metrics import Metrics

CALLS: list[Call] = [
    (lambda metrics: metrics.redis.seconds.observe("claim", 0.25), {"pageworker_redis_seconds_sum": 0.25}),
    (lambda metrics: metrics.redis.up.set(1), {"pageworker_redis_up": 1}),
    (lambda metrics: metrics.redis.reconnects.inc(), {"pageworker_redis_reconnects_total": 1}),
]


@pytest.mark.parametrize(("call", "change"), CALLS, ids=[" ".join(change) for _, change in CALLS])
def test_a_call_changes_its_metrics_and_no_other(call: Callable[[Metrics], None], change: dict[str, float]) -> None:
    assert changes(call, "acme") == change


def test_every_metric_of_the_subject_changes() -> None:
    assert unchanged("redis", CALLS) == []
