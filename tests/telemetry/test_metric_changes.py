"""Each call on `Metrics` changes the metrics that docs/operations.md describes, as Prometheus reads them."""

from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pageworker_supervisor.contract.traffic import Traffic
from pageworker_supervisor.telemetry.metrics import Metrics

CALLS: list[tuple[Callable[[Metrics], None], dict[str, float]]] = [
    (lambda metrics: metrics.admitted(0.5), {"pageworker_job_admit_seconds_sum": 0.5}),
    (lambda metrics: metrics.lost("acme"), {"pageworker_leases_lost_total": 1}),
    (lambda metrics: metrics.retried("shop.product"), {"pageworker_job_retries_total": 1}),
    (lambda metrics: metrics.deferred("host"), {"pageworker_job_defers_total": 1}),
    (lambda metrics: metrics.rejected("unknown_field"), {"pageworker_intake_rejections_total": 1}),
    (lambda metrics: metrics.spawned(1.5), {"pageworker_runner_spawn_seconds_sum": 1.5}),
    (lambda metrics: metrics.ended("killed"), {"pageworker_runners_ended_total": 1}),
    (lambda metrics: metrics.retirement_asked("threads"), {"pageworker_runner_retirements_total": 1}),
    (lambda metrics: metrics.start_failed("host"), {"pageworker_runner_start_failures_total": 1}),
    (lambda metrics: metrics.contexts_broken(3), {"pageworker_broken_contexts": 3}),
    (lambda metrics: metrics.limit_breached("memory_limit"), {"pageworker_limit_breaches_total": 1}),
    (
        lambda metrics: metrics.callback("delivered", 0.25),
        {"pageworker_callbacks_total": 1, "pageworker_callback_seconds_sum": 0.25},
    ),
    (lambda metrics: metrics.secret_requested("granted", "acme"), {"pageworker_secret_requests_total": 1}),
    (lambda metrics: metrics.stored(7), {"pageworker_artifacts_total": 1, "pageworker_artifact_bytes_total": 7}),
    (lambda metrics: metrics.not_stored("store_full"), {"pageworker_artifacts_total": 1}),
    (
        lambda metrics: metrics.egress("acme", Traffic(requests=1, bytes_in=5, bytes_out=2)),
        {"pageworker_egress_requests_total": 1, "pageworker_egress_bytes_total": 7},
    ),
    (lambda metrics: metrics.egress_refused("acme", "private_address", 4), {"pageworker_egress_refusals_total": 4}),
    (lambda metrics: metrics.count_blocked("acme", {"image": 3, "host": 2}), {"pageworker_requests_blocked_total": 5}),
    (
        lambda metrics: metrics.upstreams({("de", "p.test:3128"): True, ("de", "q.test:3128"): False}),
        {"pageworker_proxy_upstream_up": 1},
    ),
    (
        lambda metrics: metrics.upstream_failed("de", "p.test:3128", "refused"),
        {"pageworker_proxy_upstream_failures_total": 1},
    ),
    (lambda metrics: metrics.connection_dropped("crowded"), {"pageworker_http_connections_dropped_total": 1}),
    (lambda metrics: metrics.self_check("redis_clock", failed=True), {"pageworker_self_check_failed": 1}),
    (lambda metrics: metrics.clock_jumped("redis"), {"pageworker_clock_jumps_total": 1}),
    (lambda metrics: metrics.index_refused("module_expired"), {"pageworker_index_refusals_total": 1}),
    (lambda metrics: metrics.config_vote("refused"), {"pageworker_config_votes_total": 1}),
]


def totals(metrics: Metrics) -> dict[str, float]:
    """The sum of each sample over all labels."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(metrics.expose().decode()):
        for sample in family.samples:
            if not sample.name.endswith(("_created", "_bucket", "_count")):
                found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


@pytest.mark.parametrize(("call", "changes"), CALLS, ids=[" ".join(changes) for _, changes in CALLS])
def test_a_call_changes_its_metrics_and_no_other(call: Callable[[Metrics], None], changes: dict[str, float]) -> None:
    metrics = Metrics(["acme"])
    before = totals(metrics)
    call(metrics)
    after = totals(metrics)
    assert {name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name)} == changes


def test_the_build_is_described_by_labels() -> None:
    (family,) = [
        family
        for family in text_string_to_metric_families(Metrics(version="1.2.3", worker_id="w1").expose().decode())
        if family.name == "pageworker_build_info"
    ]
    (sample,) = family.samples
    assert sample.value == 1
    assert (sample.labels["version"], sample.labels["worker"]) == ("1.2.3", "w1")
