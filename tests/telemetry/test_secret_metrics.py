"""Each call on `Metrics.secrets` changes what it is for."""

from collections.abc import Callable

import pytest
from pw_metrics import Call, changes, unchanged

from pageworker_supervisor.telemetry.metrics import Metrics

CALLS: list[Call] = [
    (lambda metrics: metrics.secrets.expires("vault", 9), {"pageworker_secret_expiry_timestamp_seconds": 9}),
    (lambda metrics: metrics.secrets.requested("granted", "acme"), {"pageworker_secret_requests_total": 1}),
]


@pytest.mark.parametrize(("call", "change"), CALLS, ids=[" ".join(change) for _, change in CALLS])
def test_a_call_changes_its_metrics_and_no_other(call: Callable[[Metrics], None], change: dict[str, float]) -> None:
    assert changes(call, "acme") == change


def test_every_metric_of_the_subject_changes() -> None:
    assert unchanged("secrets", CALLS) == []


def test_a_backend_without_leases_has_no_expiry() -> None:
    metrics = Metrics()
    metrics.secrets.expires("vault", None)
    metrics.secrets.expires("vault", 9)
    metrics.secrets.expires("vault", None)
    assert metrics.registry.get_sample_value("pageworker_secret_expiry_timestamp_seconds", {"backend": "vault"}) is None
