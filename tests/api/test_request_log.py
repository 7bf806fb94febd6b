"""What is kept of each request, of a real API."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from api.conftest import serving, settings_for
from prometheus_client.parser import text_string_to_metric_families
from pw_servers import RedisServer
from pw_servers.no_tls import NO_TLS

from pageworker_supervisor.config.api_settings import ApiSettings
from pageworker_supervisor.telemetry import log

JOB = {"job_id": "17", "endpoint_module": "shop.product"}


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """The fields of each line about a request."""
    found: list[dict[str, Any]] = []
    sink = log.add(
        lambda message: found.append(message.record["extra"]),
        level="INFO",
        filter=lambda record: record["message"] == "request",
    )
    yield found
    log.remove(sink)


async def scraped(port: int | None) -> dict[tuple[str, ...], float]:
    async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as client:
        answer = await client.get(f"http://127.0.0.1:{port}/metrics")
        assert (await client.get(f"http://127.0.0.1:{port}/metrics", headers={"Host": "evil.test"})).status_code == 421
    return {
        (sample.name.removeprefix("pageworker_api_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_each_request_has_a_line_and_counts(live_redis: RedisServer, lines: list[dict[str, Any]]) -> None:
    settings = settings_for(live_redis.url, ApiSettings(bind="127.0.0.1:0", metrics_bind="127.0.0.1:0", burst=5))
    async with serving(settings) as api:
        headers = api.as_("a1")
        await api.client.post("/v1/jobs", json=JOB, headers=headers)
        await api.client.post("/v1/jobs", json={**JOB, "priority": "urgent"}, headers=headers)
        await api.client.delete("/v1/jobs/17?tenant_id=acme", headers=headers)
        await api.client.get("/v1/jobs/17", headers={"Authorization": "Bearer pw_secret"})
        await api.client.get("/v1/nothing/at/all", headers=headers)
        await api.client.put("/v1/limits", headers=headers)
        async with api.client.stream("GET", "/v1/events", headers=headers):
            numbers = await scraped(api.server.metrics_port)
            assert numbers["event_streams",] == 1
            assert numbers["connections",] >= 1
    for line in lines:
        assert 0 <= line.pop("milliseconds") < 30_000
    known = {"token_id": "a1", "tenant_id": "acme"}
    jobs, job = {"method": "POST", "route": "/v1/jobs"}, "/v1/jobs/{job_id}"
    assert lines == [
        jobs | {"status": 202} | known,
        jobs | {"status": 422, "code": "invalid_field"} | known,
        {"method": "DELETE", "route": job, "status": 200, "job_id": "17"} | known,
        {"method": "GET", "route": job, "status": 401, "code": "token_invalid"},
        {"method": "GET", "route": "other", "status": 404, "code": "not_found"},
        {"method": "PUT", "route": "other", "status": 405, "code": "method_not_allowed"},
        {"method": "GET", "route": "/v1/events", "status": 200} | known,
    ]
    assert {key: value for key, value in numbers.items() if key[0] in ("requests_total", "refused_total")} == {
        ("requests_total", "/v1/jobs", "2xx"): 1,
        ("requests_total", "/v1/jobs", "4xx"): 1,
        ("requests_total", job, "2xx"): 1,
        ("requests_total", job, "4xx"): 1,
        ("requests_total", "/v1/events", "2xx"): 1,
        ("requests_total", "other", "4xx"): 2,
        ("refused_total", "job_invalid"): 1,
        ("refused_total", "token_invalid"): 1,
        ("refused_total", "not_found"): 1,
        ("refused_total", "method_not_allowed"): 1,
    }
    assert numbers["request_seconds_count", "/v1/jobs"] == 2


async def test_without_a_log_requests_are_counted_all_the_same(
    live_redis: RedisServer, lines: list[dict[str, Any]]
) -> None:
    api_settings = ApiSettings(bind="127.0.0.1:0", metrics_bind="127.0.0.1:0", access_log=False)
    async with serving(settings_for(live_redis.url, api_settings)) as api:
        await api.client.get("/v1/whoami", headers=api.as_("a1"))
        assert (await scraped(api.server.metrics_port))["requests_total", "/v1/whoami", "2xx"] == 1
    assert lines == []
