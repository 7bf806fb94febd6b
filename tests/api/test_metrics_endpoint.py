"""`/metrics` of the API, and who may name it."""

import httpx

from pageworker_supervisor.api.metrics_endpoint import metrics_app
from pageworker_supervisor.telemetry.api_metrics import ApiMetrics


async def test_only_known_hosts_are_answered() -> None:
    app = httpx.ASGITransport(metrics_app(ApiMetrics(), ("api.test",)))
    async with httpx.AsyncClient(transport=app) as client:
        answer = await client.get("http://api.test/metrics")
        assert "pageworker_api_connections" in answer.text
        assert answer.headers["content-type"].startswith("text/plain")
        assert (await client.get("http://127.0.0.1/metrics")).status_code == 200
        assert (await client.get("http://evil.test/metrics")).status_code == 421
