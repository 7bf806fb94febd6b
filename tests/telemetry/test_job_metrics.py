"""Each call on `Metrics.jobs` changes what it is for."""

from collections.abc import Callable

import pytest
from pw_metrics import Call, changes, unchanged

from pageworker_supervisor.telemetry.metrics import Metrics

CALLS: list[Call] = [
    (
        lambda metrics: metrics.jobs.answered("shop.product", 2.5, "0" * 32),
        {"pageworker_job_latency_seconds_sum": 2.5},
    ),
    (lambda metrics: metrics.jobs.blocked("shop.product", "captcha"), {"pageworker_blockers_total": 1}),
    (lambda metrics: metrics.jobs.blocker_action("retry", "captcha"), {"pageworker_blocker_actions_total": 1}),
    (
        lambda metrics: metrics.jobs.finished("shop.product", "acme", "succeeded", 0.5, 2.0),
        {
            "pageworker_jobs_total": 1,
            "pageworker_job_queue_seconds_sum": 0.5,
            "pageworker_job_run_seconds_sum": 2,
        },
    ),
    (lambda metrics: metrics.jobs.admitted(0.5), {"pageworker_job_admit_seconds_sum": 0.5}),
    (lambda metrics: metrics.jobs.lost("acme"), {"pageworker_leases_lost_total": 1}),
    (lambda metrics: metrics.jobs.retried("shop.product"), {"pageworker_job_retries_total": 1}),
    (lambda metrics: metrics.jobs.deferred("host"), {"pageworker_job_defers_total": 1}),
    (lambda metrics: metrics.jobs.rejected("unknown_field"), {"pageworker_intake_rejections_total": 1}),
]


@pytest.mark.parametrize(("call", "change"), CALLS, ids=[" ".join(change) for _, change in CALLS])
def test_a_call_changes_its_metrics_and_no_other(call: Callable[[Metrics], None], change: dict[str, float]) -> None:
    assert changes(call, "acme") == change


def test_every_metric_of_the_subject_changes() -> None:
    assert unchanged("jobs", CALLS) == []
