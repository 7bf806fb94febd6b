"""Batches over HTTP: a real server, a real queue."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api.conftest import ServedApi, serving, settings_for
from pw_queue.words import everything
from pw_servers import RedisServer

from pageworker_supervisor.config.settings import TenantSettings

JOB = {"endpoint_module": "shop.product"}
HOOK = "https://n8n.example/webhook/1"


@pytest.fixture
async def api(live_redis: RedisServer, tmp_path: Path) -> AsyncIterator[ServedApi]:
    """An API of two tenants. Acme may have callbacks."""
    acme = TenantSettings(callback_allow=("https://n8n.example/*",), callback_secret_file=tmp_path / "secret")
    tenants = {"acme": acme, "beta": TenantSettings()}
    async with serving(settings_for(live_redis.url, tenants=tenants)) as served:
        yield served


async def call(api: ServedApi, method: str, path: str, body: object = None, token: str = "a1") -> httpx.Response:
    return await api.client.request(method, f"/v1/batches{path}", json=body, headers=api.as_(token))


def jobs(*ids: str, **fields: object) -> list[dict[str, object]]:
    return [{**JOB, "job_id": job_id, **fields} for job_id in ids]


async def end_all(api: ServedApi, **statuses: str) -> None:
    """A worker claims all jobs, and ends them so."""
    for lease in (await api.queue.consumer.claim("w1", everything(10))).leases:
        status = lease.ending or statuses.get(lease.job_id, "succeeded")
        letter = b"{}" if status == "failed" else None
        assert await api.queue.consumer.finish(lease, status, b"{}", dead_letter=letter)


async def test_a_batch_goes_from_its_first_job_to_its_second_round(api: ServedApi) -> None:
    body: dict[str, Any] = {"batch_id": "n", "callback_url": HOOK, "jobs": [*jobs("j1", "j2"), {"job_id": "x"}]}
    opened = await call(api, "POST", "", body)
    assert opened.status_code == 201, opened.text
    answer = opened.json()
    assert (answer["batch_id"], answer["tenant_id"], answer["state"]) == ("n", "acme", "open")
    assert [job["status"] for job in answer["jobs"]] == ["queued", "queued", "rejected"]
    assert (answer["counts"]["waiting"], answer["job_count"], answer["reason"]) == (2, 2, None)
    again = await call(api, "POST", "", body)
    assert (again.status_code, [job["status"] for job in again.json()["jobs"]][:2]) == (200, ["known", "known"])
    other = await api.client.post("/v1/jobs", json={**jobs("j3")[0], "batch_id": "n"}, headers=api.as_("a1"))
    assert other.status_code == 202
    closed = (await call(api, "POST", "/n/close")).json()
    assert (closed["state"], closed["job_count"], "jobs" in closed) == ("closed", 3, False)
    late = await api.client.post("/v1/jobs", json={**jobs("j4")[0], "batch_id": "n"}, headers=api.as_("a1"))
    assert (late.status_code, late.json()["code"], late.json()["field"]) == (422, "batch_closed", "batch_id")
    await end_all(api, j2="failed")
    shown = (await call(api, "GET", "/n")).json()
    assert (shown["state"], shown["reason"], shown["round"]) == ("complete", "all_ended", 1)
    assert (shown["counts"]["succeeded"], shown["counts"]["failed"]) == (2, 1)
    first = (await call(api, "GET", "/n/results?count=2")).json()
    assert [(row["job_id"], row["state"], row["status"]) for row in first["results"]] == [
        ("j1", "ended", "succeeded"),
        ("j2", "ended", "failed"),
    ]
    rest = (await call(api, "GET", f"/n/results?count=2&after={first['next']}")).json()
    assert ([row["job_id"] for row in rest["results"]], rest["next"]) == (["j3"], None)
    retried = (await call(api, "POST", "/n/retry")).json()
    assert (retried["queued"], retried["left"]) == (1, 0)
    await end_all(api)
    shown = (await call(api, "GET", "/n")).json()
    assert (shown["state"], shown["round"], shown["counts"]["succeeded"]) == ("complete", 2, 3)


async def test_a_cancelled_batch_cancels_its_jobs(api: ServedApi) -> None:
    await call(api, "POST", "", {"batch_id": "n", "jobs": jobs("j1", "j2")})
    cancelled = await call(api, "DELETE", "/n")
    assert (cancelled.status_code, cancelled.json()["cancelled"]) == (200, 2)
    await end_all(api)
    shown = (await call(api, "GET", "/n")).json()
    assert (shown["state"], shown["reason"], shown["counts"]["cancelled"]) == ("complete", "cancelled", 2)


async def test_what_is_wrong_is_named(api: ServedApi) -> None:
    assert (await call(api, "POST", "", {"batch_id": "n", "size": 3})).status_code == 201
    for body, status, code, field in (
        ({"batch_id": "n", "size": 4}, 409, "batch_exists", "batch_id"),
        ({"size": 4}, 422, "missing_field", "batch_id"),
        ({"batch_id": "n n"}, 422, "invalid_field", "batch_id"),
        ({"batch_id": "o", "size": 0}, 422, "invalid_field", "size"),
        ({"batch_id": "o", "complete_on": "x"}, 422, "invalid_field", "complete_on"),
        ({"batch_id": "o", "seize": 2}, 422, "unknown_field", "seize"),
        ({"batch_id": "o", "callback_url": "https://evil.example/"}, 422, "callback_not_allowed", "callback_url"),
        ({"batch_id": "o", "jobs": []}, 400, "invalid_request", "jobs"),
        ([], 400, "invalid_json", None),
    ):
        answer = await call(api, "POST", "", body)
        told = answer.json()
        assert (answer.status_code, told["code"], told.get("field")) == (status, code, field), told
    answer = await call(api, "POST", "", {"batch_id": "o", "jobs": jobs("j1", batch_id="n")})
    assert answer.json()["jobs"][0]["problem"]["field"] == "batch_id"
    unknown = await api.client.post("/v1/jobs", json={**jobs("j1")[0], "batch_id": "p"}, headers=api.as_("a1"))
    assert (unknown.status_code, unknown.json()["code"]) == (422, "batch_unknown")


async def test_the_batches_of_other_tenants_do_not_exist(api: ServedApi) -> None:
    await call(api, "POST", "", {"batch_id": "n"})
    for method, path in (
        ("GET", "/n"),
        ("GET", "/n/results"),
        ("POST", "/n/close"),
        ("POST", "/n/retry"),
        ("DELETE", "/n"),
    ):
        assert (await call(api, method, path, token="b1")).status_code == 404, (method, path)
    assert (await call(api, "GET", "/n?tenant_id=acme", token="f1")).json()["state"] == "open"
    assert (await call(api, "POST", "", {"batch_id": "n"}, token="v1")).status_code == 403
