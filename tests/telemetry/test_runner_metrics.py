"""Each call on `Metrics.runners` changes what it is for."""

from collections.abc import Callable

import pytest
from pw_metrics import Call, changes, unchanged

from pageworker_supervisor.telemetry.metrics import Metrics

CALLS: list[Call] = [
    (
        lambda metrics: metrics.runners.states({"ready": 2}, {"free": 8}),
        {"pageworker_runners": 2, "pageworker_pages": 8},
    ),
    (lambda metrics: metrics.runners.spawned(1.5), {"pageworker_runner_spawn_seconds_sum": 1.5}),
    (lambda metrics: metrics.runners.ended("killed"), {"pageworker_runners_ended_total": 1}),
    (lambda metrics: metrics.runners.retirement_asked("threads"), {"pageworker_runner_retirements_total": 1}),
    (lambda metrics: metrics.runners.start_failed("host"), {"pageworker_runner_start_failures_total": 1}),
    (lambda metrics: metrics.runners.contexts_broken(3), {"pageworker_broken_contexts": 3}),
    (lambda metrics: metrics.runners.limit_breached("memory_limit"), {"pageworker_limit_breaches_total": 1}),
]


@pytest.mark.parametrize(("call", "change"), CALLS, ids=[" ".join(change) for _, change in CALLS])
def test_a_call_changes_its_metrics_and_no_other(call: Callable[[Metrics], None], change: dict[str, float]) -> None:
    assert changes(call, "acme") == change


def test_every_metric_of_the_subject_changes() -> None:
    assert unchanged("runners", CALLS) == []
