"""The endpoints for probes, scrapers and operators, asked without a socket."""

import httpx
import pytest
from pw_http import FakeWorker

from pageworker_supervisor.admin.operator_api import json_response, operator_app
from pageworker_supervisor.telemetry.metrics import Metrics


def client(worker: FakeWorker, metrics: Metrics | None = None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(operator_app(worker, metrics or Metrics()))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")


async def test_readiness_is_probed_and_liveness_is_not() -> None:
    worker = FakeWorker()
    async with client(worker) as operator:
        assert (await operator.get("/healthz")).json() == {"status": "alive"}
        assert worker.probes == 0
        assert (await operator.get("/readyz")).status_code == 200
        assert worker.probes == 1


async def test_the_readiness_metric_follows_the_worker() -> None:
    worker, metrics = FakeWorker(), Metrics()
    async with client(worker, metrics) as operator:
        assert "pageworker_ready 1.0" in (await operator.get("/metrics")).text
        worker.state = "draining"
        assert "pageworker_ready 0.0" in (await operator.get("/metrics")).text


async def test_exemplars_are_for_scrapers_that_ask_for_openmetrics() -> None:
    metrics, accept = Metrics(), "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    metrics.jobs.answered("shop.product", 2.0, "ab" * 16)
    async with client(FakeWorker(), metrics) as operator:
        asked = await operator.get("/metrics", headers={"Accept": accept})
        plain = await operator.get("/metrics", headers={"Accept": "*/*"})
    assert asked.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert f'# {{trace_id="{"ab" * 16}"}} 2.0' in asked.text
    assert asked.text.endswith("# EOF\n")
    assert plain.headers["content-type"].startswith("text/plain")
    assert "trace_id" not in plain.text


@pytest.mark.parametrize("accept", ["application/openmetrics-text;version=abc", "text/plain;version=1.x", "\xff;q=;,="])
async def test_metrics_have_the_text_format_for_a_client_that_asks_for_nonsense(accept: str) -> None:
    async with client(FakeWorker()) as operator:
        asked = await operator.get("/metrics", headers={b"Accept": accept.encode("latin-1")})
    assert (asked.status_code, asked.headers["content-type"].partition(";")[0]) == (200, "text/plain")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_no_path_takes_another_method_than_get(method: str) -> None:
    async with client(FakeWorker()) as operator:
        for path in ("/healthz", "/readyz", "/metrics", "/status"):
            assert (await operator.request(method, path)).status_code == 405


def test_json_is_safe_on_a_terminal_and_not_cached() -> None:
    response = json_response({"text": "\x1b[2Jä"}, 503)
    assert b"\x1b" not in bytes(response.body)
    assert bytes(response.body).endswith(b"\n")
    assert (response.status_code, response.headers["cache-control"]) == (503, "no-store")
