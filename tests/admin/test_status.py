"""The messages of the endpoints: what they name, and that they survive the way over the socket."""

import msgspec
import pytest

from pageworker_supervisor.admin.status import (
    CancelRequest,
    DrainLine,
    DrainRequest,
    RedisReport,
    RunningJob,
    StatusReport,
)
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.telemetry.metrics import Metrics


def test_a_drain_line_names_its_job_and_the_last_line_none() -> None:
    assert DrainLine(event="waiting", tenant_id="acme", job_id="1").ref == JobRef("acme", "1")
    assert DrainLine(event="done", left=0).ref is None


def test_a_running_job_is_named_by_tenant_and_id() -> None:
    job = RunningJob(job_id="1", tenant_id="acme", module="echo", attempt=1, since_seconds=0.5)
    assert str(job.ref) == "acme/1"


def test_a_drain_line_carries_only_what_it_says() -> None:
    assert msgspec.json.encode(DrainLine(event="done", left=0)) == b'{"event":"done","left":0}'


@pytest.mark.parametrize(
    ("body", "request_type"),
    [(b'{"deadline": 3}', DrainRequest), (b'{"job": {"tenant_id": "a", "job_id": "b"}, "force": true}', CancelRequest)],
)
def test_an_unknown_field_of_a_request_is_refused(body: bytes, request_type: type) -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.json.decode(body, type=request_type)


def test_counters_are_those_of_the_metrics_summed_over_labels() -> None:
    metrics = Metrics()
    metrics.results.not_stored("too_large")
    metrics.results.not_stored("too_large")
    metrics.results.not_stored("failed")
    metrics.health.connection_dropped("crowded")
    report = StatusReport(
        state="ready",
        reason="",
        worker_id="w1",
        version="1",
        uptime_seconds=1.0,
        redis=RedisReport(connected=True, url="redis://h"),
        counters=metrics.totals(),
    )
    assert (report.counters["artifacts"], report.counters["http_connections_dropped"]) == (3, 1)
    exposed = metrics.expose().decode()
    for name in report.counters:
        assert f"# TYPE pageworker_{name}_total counter" in exposed
