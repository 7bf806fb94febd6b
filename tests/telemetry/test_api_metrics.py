"""The metrics of the HTTP API. Which requests count: tests/api/test_request_log.py."""

from pageworker_supervisor.telemetry.api_metrics import ApiMetrics, api_metrics_table


def test_each_metric_has_a_row_and_a_sample() -> None:
    metrics = ApiMetrics()
    metrics.answered("/v1/jobs", 202, 0.02)
    metrics.refused.labels("not_found").inc()
    metrics.audit_record_lost("full")
    metrics.observe(lambda: 3, lambda: 2)
    shown = metrics.expose().decode()
    for sample in (
        'pageworker_api_requests_total{route="/v1/jobs",status="2xx"} 1.0',
        'pageworker_api_request_seconds_bucket{le="0.025",route="/v1/jobs"} 1.0',
        'pageworker_api_refused_total{code="not_found"} 1.0',
        'pageworker_api_audit_records_lost_total{reason="full"} 1.0',
        "pageworker_api_connections 3.0",
        "pageworker_api_event_streams 2.0",
    ):
        assert sample in shown
    assert api_metrics_table().count("| `pageworker_api_") == 6
