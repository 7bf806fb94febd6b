"""Each call on `Metrics.runners` changes what it is for."""

from collections.abc import Callable

import pytest
from pw_metrics import Call, changes, unchanged

from pageworker_supervisor.telemetry.metrics import Metrics

CALLS: list[Call] = [
    (
        lambda metrics: metrics.runners.bounds(3, 4, 100),
        {"pageworker_page_pool_size": 12, "pageworker_runner_memory_limit_bytes": 100},
    ),
    (lambda metrics: metrics.runners.page_waited(0.25), {"pageworker_page_wait_seconds_sum": 0.25}),
    (
        lambda metrics: metrics.runners.measured(0, 7, 0.5),
        {"pageworker_runner_memory_bytes": 7, "pageworker_runner_cpu_seconds_total": 0.5},
    ),
    (lambda metrics: metrics.runners.browser_exited("crashed"), {"pageworker_browser_exits_total": 1}),
    (lambda metrics: metrics.runners.restarted("hung"), {"pageworker_runner_restarts_total": 1}),
    (
        lambda metrics: metrics.runners.states({"ready": 2}, {"free": 8}),
        {"pageworker_runners": 2, "pageworker_pages": 8},
    ),
    (lambda metrics: metrics.runners.spawned(1.5), {"pageworker_runner_spawn_seconds_sum": 1.5}),
    (lambda metrics: metrics.runners.ended("killed"), {"pageworker_runners_ended_total": 1}),
    (lambda metrics: metrics.runners.retirement_asked("threads"), {"pageworker_runner_retirements_total": 1}),
    (lambda metrics: metrics.runners.adopted(), {"pageworker_spares_adopted_total": 1}),
    (lambda metrics: metrics.runners.start_failed("host"), {"pageworker_runner_start_failures_total": 1}),
    (lambda metrics: metrics.runners.contexts_broken(3), {"pageworker_broken_contexts": 3}),
    (lambda metrics: metrics.runners.limit_breached("memory_limit"), {"pageworker_limit_breaches_total": 1}),
    (lambda metrics: metrics.runners.rights({"userns": True, "cgroup": False}), {"pageworker_sandbox_right": 1}),
    (
        lambda metrics: metrics.runners.memory_stalled("some", 0.5),
        {"pageworker_sandbox_memory_stall_seconds_total": 0.5},
    ),
]


@pytest.mark.parametrize(("call", "change"), CALLS, ids=[" ".join(change) for _, change in CALLS])
def test_a_call_changes_its_metrics_and_no_other(call: Callable[[Metrics], None], change: dict[str, float]) -> None:
    assert changes(call, "acme") == change


def test_every_metric_of_the_subject_changes() -> None:
    assert unchanged("runners", CALLS) == []


def test_a_free_slot_uses_no_memory_and_keeps_its_cpu_time() -> None:
    metrics = Metrics()
    for memory_bytes in (7, 8):
        metrics.runners.measured(1, memory_bytes, 0.5)
        metrics.runners.slot_freed(1)
    assert metrics.registry.get_sample_value("pageworker_runner_memory_bytes", {"slot": "1"}) is None
    assert metrics.registry.get_sample_value("pageworker_runner_cpu_seconds_total", {"slot": "1"}) == 1.0
