"""Each call on `Metrics.profiles` changes what it is for."""

from collections.abc import Callable

import pytest
from pw_metrics import Call, changes, unchanged

from pageworker_supervisor.telemetry.metrics import Metrics

CALLS: list[Call] = [
    (
        lambda metrics: metrics.profiles.moved("fetch", 0.5, 1000),
        {"pageworker_profile_snapshot_seconds_sum": 0.5, "pageworker_profile_snapshot_bytes_total": 1000},
    ),
    (
        lambda metrics: metrics.profiles.failed("publish", "SnapshotStoreAway"),
        {"pageworker_profile_snapshot_failures_total": 1},
    ),
    (
        lambda metrics: metrics.profiles.waits_since.show(5.0),
        {"pageworker_profile_unpublished_timestamp_seconds": 5},
    ),
    (lambda metrics: metrics.profiles.checkpoint("stored"), {"pageworker_profile_checkpoints_total": 1}),
    (lambda metrics: metrics.profiles.damaged.inc(), {"pageworker_profile_damaged_total": 1}),
    (
        lambda metrics: metrics.profiles.login_reported("needs_human"),
        {"pageworker_profile_login_reports_total": 1},
    ),
]


@pytest.mark.parametrize(("call", "change"), CALLS, ids=[" ".join(change) for _, change in CALLS])
def test_a_call_changes_its_metrics_and_no_other(call: Callable[[Metrics], None], change: dict[str, float]) -> None:
    assert changes(call, "acme") == change


def test_every_metric_of_the_subject_changes() -> None:
    assert unchanged("profiles", CALLS) == []
