"""Each call on `Metrics.egress` changes what it is for."""

from collections.abc import Callable

import pytest
from pw_metrics import Call, changes, unchanged

from pageworker_supervisor.contract.traffic import Traffic
from pageworker_supervisor.telemetry.metrics import Metrics

CALLS: list[Call] = [
    (
        lambda metrics: metrics.egress.add("acme", Traffic(requests=1, bytes_in=5, bytes_out=2)),
        {"pageworker_egress_requests_total": 1, "pageworker_egress_bytes_total": 7},
    ),
    (lambda metrics: metrics.egress.refused("acme", "private_address", 4), {"pageworker_egress_refusals_total": 4}),
    (
        lambda metrics: metrics.egress.count_blocked("acme", {"image": 3, "host": 2}),
        {"pageworker_requests_blocked_total": 5},
    ),
    (
        lambda metrics: metrics.egress.upstreams({("de", "p.test:3128"): True, ("de", "q.test:3128"): False}),
        {"pageworker_proxy_upstream_up": 1},
    ),
    (
        lambda metrics: metrics.egress.upstream_failed("de", "p.test:3128", "refused"),
        {"pageworker_proxy_upstream_failures_total": 1},
    ),
]


@pytest.mark.parametrize(("call", "change"), CALLS, ids=[" ".join(change) for _, change in CALLS])
def test_a_call_changes_its_metrics_and_no_other(call: Callable[[Metrics], None], change: dict[str, float]) -> None:
    assert changes(call, "acme") == change


def test_every_metric_of_the_subject_changes() -> None:
    assert unchanged("egress", CALLS) == []
