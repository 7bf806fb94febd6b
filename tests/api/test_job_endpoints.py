"""Jobs over HTTP: a real server, a real queue."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from api.conftest import ServedApi, serving, settings_for
from pw_queue.words import everything
from pw_servers import RedisServer

from pageworker_supervisor.config.api_settings import ApiSettings
from pageworker_supervisor.config.settings import TenantSettings
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.functions import Shards

JOB = {"job_id": "17", "endpoint_module": "shop.product", "payload": {"url": "https://shop.example/"}}


@pytest.fixture
async def api(live_redis: RedisServer) -> AsyncIterator[ServedApi]:
    """An API of two tenants, acme and beta. Acme may have five jobs."""
    tenants = {"acme": TenantSettings(backlog_jobs=5), "beta": TenantSettings()}
    async with serving(settings_for(live_redis.url, tenants=tenants)) as served:
        yield served


async def post(api: ServedApi, body: object, token: str = "a1") -> httpx.Response:
    return await api.client.post("/v1/jobs", json=body, headers=api.as_(token))


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = answer.json()
    assert (answer.status_code, body["code"], body["status"]) == (status, code, status), body
    assert body["type"] == f"urn:pageworker:problem:{code}"
    return body


async def end(api: ServedApi, status: str = "succeeded") -> bytes:
    """A worker claims the one job that there is, and ends it."""
    (lease,) = (await api.queue.consumer.claim("w1", everything(1))).leases
    result = json.dumps({"job_id": lease.job_id, "tenant_id": lease.tenant_id, "status": status}).encode()
    assert await api.queue.consumer.finish(lease, status, result)
    return result


async def test_a_job_is_queued_once_for_its_tenant(api: ServedApi) -> None:
    first = await post(api, JOB)
    assert (first.status_code, first.json()) == (202, {"job_id": "17", "tenant_id": "acme", "status": "queued"})
    again = await post(api, JOB)
    assert (again.status_code, again.json()["status"]) == (200, "known")
    other = await post(api, JOB, "b1")
    assert (other.status_code, other.json()["tenant_id"]) == (202, "beta")
    listed = await api.queue.inspection.jobs()
    assert sorted(view.tenant_id for view in listed.jobs) == ["acme", "beta"]


async def test_many_jobs_have_an_outcome_each(api: ServedApi) -> None:
    others = [{**JOB, "job_id": str(number)} for number in range(5)]
    wrong = [{**JOB, "job_id": "x", "paylod": 1}, {**JOB, "job_id": "y", "tenant_id": "beta"}, 7]
    answer = await post(api, {"jobs": [others[0], *wrong, *others, {**JOB, "job_id": "full"}]})
    assert answer.status_code == 200
    rows = answer.json()["jobs"]
    statuses = ["queued", *["rejected"] * 3, "known", *["queued"] * 4, "rejected"]
    assert [row["status"] for row in rows] == statuses
    assert rows[1]["problem"]["code"] == "unknown_field"
    assert rows[1]["problem"]["field"] == "paylod"
    assert "payload" in rows[1]["problem"]["hint"]
    assert [rows[at]["problem"]["code"] for at in (2, 3, 9)] == ["tenant_mismatch", "invalid_field", "queue_full"]
    assert rows[2]["job_id"] == "y"
    assert "job_id" not in rows[3]


async def test_what_is_wrong_with_one_job_is_the_answer(api: ServedApi, live_redis: RedisServer) -> None:
    missing = problem(await post(api, {"job_id": "1"}), 422, "missing_field")
    assert missing["field"] == "endpoint_module"
    assert problem(await post(api, {**JOB, "files": [{}]}), 422, "invalid_field")["field"] == "files[0]"
    assert problem(await post(api, {**JOB, "priority": "urgent"}), 422, "invalid_field")["field"] == "priority"
    refused = {**JOB, "callback_url": "https://evil.example/"}
    assert problem(await post(api, refused), 422, "callback_not_allowed")["field"] == "callback_url"
    problem(await post(api, {**JOB, "tenant_id": "beta"}), 403, "tenant_mismatch")
    problem(await post(api, {**JOB, "tenant_id": 7}), 422, "invalid_field")
    assert live_redis.command("EXISTS", "pw:result:acme:17", "pw:{0}:dead") == 0, "the caller has the reason"


async def test_a_full_tenant_is_told_when_to_try_again(api: ServedApi) -> None:
    await post(api, {"jobs": [{**JOB, "job_id": str(number)} for number in range(5)]})
    answer = await post(api, JOB)
    problem(answer, 429, "queue_full")
    assert int(answer.headers["retry-after"]) >= 1
    assert (await post(api, JOB, "b1")).status_code == 202, "others are not affected"


BODIES: tuple[tuple[bytes, int, str], ...] = (
    (b"", 400, "invalid_json"),
    (b"{", 400, "invalid_json"),
    (b"[]", 400, "invalid_json"),
    (b"\xff", 400, "invalid_json"),
    (b"[" * 100_000, 400, "invalid_json"),
    (b'{"jobs": 7}', 400, "invalid_request"),
    (b'{"jobs": []}', 400, "invalid_request"),
    (b'{"jobs": [' + b"7," * 1000 + b"7]}", 400, "invalid_request"),
    (b'{"jobs": [{}], "job_id": "1"}', 400, "invalid_request"),
    (b'{"job_id": "' + b"x" * (9 * 1024 * 1024) + b'"}', 413, "body_too_large"),
)


async def test_bodies_that_are_no_jobs(api: ServedApi) -> None:
    headers = {**api.as_("a1"), "Content-Type": "application/json"}
    for body, status, code in BODIES:
        problem(await api.client.post("/v1/jobs", content=body, headers=headers), status, code)
    form = {**headers, "Content-Type": "text/plain"}
    problem(await api.client.post("/v1/jobs", content=b"{}", headers=form), 415, "media_type")


async def test_a_body_above_the_setting_is_refused(live_redis: RedisServer) -> None:
    settings = ApiSettings(bind="127.0.0.1:0", max_body_bytes=512 * 1024)
    async with serving(settings_for(live_redis.url, settings)) as api:
        problem(await post(api, {**JOB, "meta": {"x": "x" * 512 * 1024}}), 413, "body_too_large")
        problem(await post(api, {**JOB, "meta": {"x": "x" * 500 * 1024}}), 422, "too_large")


async def test_where_a_job_is(api: ServedApi) -> None:
    await post(api, {**JOB, "priority": "high"})
    shown = (await api.client.get("/v1/jobs/17", headers=api.as_("v1"))).json()
    assert (shown["state"], shown["priority"], shown["endpoint_module"]) == ("queued", "high", "shop.product")
    assert "token" not in shown
    await end(api)
    ended = (await api.client.get("/v1/jobs/17", headers=api.as_("a1"))).json()
    assert (ended["state"], ended["status"]) == ("ended", "succeeded")
    timeline = (await api.client.get("/v1/jobs/17/timeline", headers=api.as_("a1"))).json()["timeline"]
    assert [entry["event"] for entry in timeline] == ["enqueue", "claim", "finish"]
    problem(await api.client.get("/v1/jobs/17/timeline", headers=api.as_("b1")), 404, "not_found")


async def test_the_result(api: ServedApi) -> None:
    await post(api, JOB)
    waiting = await api.client.get("/v1/jobs/17/result", headers=api.as_("a1"))
    assert (waiting.status_code, waiting.json()["state"], waiting.headers["retry-after"]) == (202, "queued", "2")
    result = await end(api)
    answer = await api.client.get("/v1/jobs/17/result", headers=api.as_("a1"))
    assert (answer.status_code, answer.content) == (200, result)
    assert (await api.client.get("/v1/jobs/17/result?wait=60", headers=api.as_("a1"))).content == result


async def test_many_wait_for_a_result_over_one_connection(api: ServedApi, live_redis: RedisServer) -> None:
    await post(api, JOB)
    async with asyncio.TaskGroup() as tasks:
        waits = [
            tasks.create_task(api.client.get("/v1/jobs/17/result?wait=30", headers=api.as_("a1"))) for _ in range(20)
        ]
        while live_redis.command("PUBSUB", "NUMSUB", "pw:results:acme") != [b"pw:results:acme", 1]:
            assert (await api.client.get("/healthz")).status_code == 200
        assert b" sub=2" in live_redis.command("CLIENT", "LIST", "TYPE", "PUBSUB")
        result = await end(api)
    assert {wait.result().content for wait in waits} == {result}


async def test_a_wait_ends_without_a_result(api: ServedApi) -> None:
    await post(api, JOB)
    answer = await api.client.get("/v1/jobs/17/result?wait=0.05", headers=api.as_("a1"))
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")


async def test_a_job_is_cancelled(api: ServedApi) -> None:
    await post(api, JOB)
    answer = await api.client.delete("/v1/jobs/17", headers=api.as_("a1"))
    expected = {"job_id": "17", "tenant_id": "acme", "outcome": "cancelled", "known": True}
    assert (answer.status_code, answer.json()) == (200, expected)
    await end(api, "cancelled")
    problem(await api.client.delete("/v1/jobs/17", headers=api.as_("a1")), 409, "already_ended")
    unseen = await api.client.delete("/v1/jobs/18", headers=api.as_("a1"))
    assert (unseen.status_code, unseen.json()["known"]) == (202, False)


async def test_jobs_of_others_do_not_exist(api: ServedApi) -> None:
    await post(api, JOB)
    for path in ("/v1/jobs/17", "/v1/jobs/17/result?wait=0.01", "/v1/jobs/17/result"):
        assert (await api.client.get(path, headers=api.as_("a1"))).status_code < 300
        problem(await api.client.get(path, headers=api.as_("b1")), 404, "not_found")
        named = f"{path}{'&' if '?' in path else '?'}tenant_id=acme"
        problem(await api.client.get(named, headers=api.as_("b1")), 404, "not_found")
        assert (await api.client.get(named, headers=api.as_("f1"))).status_code < 300
        problem(await api.client.get(path, headers=api.as_("f1")), 400, "invalid_request")


async def test_a_cancellation_reaches_the_own_tenant_alone(api: ServedApi) -> None:
    await post(api, JOB)
    problem(await api.client.delete("/v1/jobs/17?tenant_id=acme", headers=api.as_("b1")), 404, "not_found")
    assert (await api.client.delete("/v1/jobs/17", headers=api.as_("b1"))).json()["known"] is False
    state = await api.queue.inspection.progress(JobRef("acme", "17"))
    assert state is not None
    assert state.state == "queued"


async def test_the_operator_of_the_fleet_names_the_tenant(api: ServedApi) -> None:
    assert problem(await post(api, JOB, "f1"), 422, "missing_field")["field"] == "tenant_id"
    assert (await post(api, {**JOB, "tenant_id": "beta"}, "f1")).json()["tenant_id"] == "beta"
    assert problem(await post(api, {**JOB, "tenant_id": "gamma"}, "f1"), 422, "unknown_tenant")["field"] == "tenant_id"


async def test_a_job_that_ends_while_its_result_is_asked_for(api: ServedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    await post(api, JOB)
    call = Shards.call
    ended: list[bytes] = []

    async def ends_before(shards: Shards, shard: int, name: str, **arguments: Any) -> Any:
        if name == "show_job":
            ended.append(await end(api))
        return await call(shards, shard, name, **arguments)

    monkeypatch.setattr(Shards, "call", ends_before)
    answer = await api.client.get("/v1/jobs/17/result", headers=api.as_("a1"))
    assert (answer.status_code, [answer.content]) == (200, ended)


async def test_a_result_that_is_not_kept_any_more(api: ServedApi, live_redis: RedisServer) -> None:
    await post(api, JOB)
    await end(api)
    live_redis.command("DEL", "pw:result:acme:17")
    problem(await api.client.get("/v1/jobs/17/result", headers=api.as_("a1")), 410, "result_gone")


async def test_queries_that_mean_nothing(api: ServedApi) -> None:
    for query in ("wait=-1", "wait=x", "wait=61", "wait=1&wait=2", "waits=1", "wait=nan", "wait="):
        problem(await api.client.get(f"/v1/jobs/17/result?{query}", headers=api.as_("a1")), 400, "invalid_request")
