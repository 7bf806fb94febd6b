"""Each call on `Metrics.modules` changes what it is for."""

from collections.abc import Callable

import pytest
from pw_metrics import Call, changes, unchanged

from pageworker_supervisor.telemetry.metrics import Metrics

CALLS: list[Call] = [
    (lambda metrics: metrics.modules.expiry.show(9), {"pageworker_registry_expiry_timestamp_seconds": 9}),
    (lambda metrics: metrics.modules.signature_failed("untrusted_key"), {"pageworker_signature_failures_total": 1}),
    (lambda metrics: metrics.modules.serial.set(7), {"pageworker_registry_serial": 7}),
    (lambda metrics: metrics.modules.load_failed(), {"pageworker_module_load_failures_total": 1}),
    (lambda metrics: metrics.modules.index_refused("module_expired"), {"pageworker_index_refusals_total": 1}),
    (lambda metrics: metrics.modules.rollout_decided("roll_back"), {"pageworker_rollout_decisions_total": 1}),
    (lambda metrics: metrics.modules.rollout_versions_refused.set(2), {"pageworker_rollout_versions_refused": 2}),
]


@pytest.mark.parametrize(("call", "change"), CALLS, ids=[" ".join(change) for _, change in CALLS])
def test_a_call_changes_its_metrics_and_no_other(call: Callable[[Metrics], None], change: dict[str, float]) -> None:
    assert changes(call, "acme") == change


def test_every_metric_of_the_subject_changes() -> None:
    assert unchanged("modules", CALLS) == []
