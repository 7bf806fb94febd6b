"""Each call on `Metrics.health` changes what it is for."""

import platform
from collections.abc import Callable

import pytest
from pw_metrics import Call, changes, unchanged

from pageworker_supervisor.telemetry.metrics import Metrics

CALLS: list[Call] = [
    (
        lambda metrics: metrics.health.drain_began(9),
        {"pageworker_draining": 1, "pageworker_drain_deadline_timestamp_seconds": 9},
    ),
    (lambda metrics: metrics.health.ready.set(1), {"pageworker_ready": 1}),
    (lambda metrics: metrics.health.loop_lag_seconds.observe(0.25), {"pageworker_loop_lag_seconds_sum": 0.25}),
    (lambda metrics: metrics.health.connection_dropped("crowded"), {"pageworker_http_connections_dropped_total": 1}),
    (lambda metrics: metrics.health.self_check("redis_clock", failed=True), {"pageworker_self_check_failed": 1}),
    (lambda metrics: metrics.health.api_up.set(1), {"pageworker_api_up": 1}),
    (lambda metrics: metrics.health.api_ends.inc(), {"pageworker_api_ends_total": 1}),
    (lambda metrics: metrics.health.clock_jumped("redis"), {"pageworker_clock_jumps_total": 1}),
    (lambda metrics: metrics.health.admission_closed("memory", 2), {"pageworker_admission_closed": 2}),
    (lambda metrics: metrics.health.audit_record_lost("full"), {"pageworker_audit_records_lost_total": 1}),
]


@pytest.mark.parametrize(("call", "change"), CALLS, ids=[" ".join(change) for _, change in CALLS])
def test_a_call_changes_its_metrics_and_no_other(call: Callable[[Metrics], None], change: dict[str, float]) -> None:
    assert changes(call, "acme") == change


def test_every_metric_of_the_subject_changes() -> None:
    assert unchanged("health", CALLS) == ["pageworker_build_info"]


def test_the_build_is_described_by_labels() -> None:
    registry = Metrics(version="1.2.3", worker_id="w1").registry
    labels = {"version": "1.2.3", "worker": "w1", "python": platform.python_version()}
    assert registry.get_sample_value("pageworker_build_info", labels) == 1


def test_a_drain_that_is_done_has_no_deadline() -> None:
    metrics = Metrics()
    deadline = "pageworker_drain_deadline_timestamp_seconds"
    metrics.health.drain_began(9)
    metrics.health.drain_done()
    assert metrics.registry.get_sample_value("pageworker_draining") == 1
    assert metrics.registry.get_sample_value(deadline) is None
    metrics.health.drain_began(10)
    metrics.health.drain_left()
    assert metrics.registry.get_sample_value("pageworker_draining") == 0
    assert metrics.registry.get_sample_value(deadline) is None
