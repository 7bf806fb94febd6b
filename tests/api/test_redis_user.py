"""The Redis user that `workerctl redis acl` prints can do what the API does, in every state of a job, and no more."""

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import redis
from api.conftest import API_USER, ServedApi, serving, settings_for
from msgspec import structs
from pw_queue.words import DONE, JobEnd, everything, finish_all
from pw_servers import RedisServer

from pageworker_supervisor.access.token_admin import TokenAdmin
from pageworker_supervisor.access.token_reader import TokenReader
from pageworker_supervisor.audit.audit_log import read_lines
from pageworker_supervisor.config.api_settings import ApiSettings
from pageworker_supervisor.config.settings import AuditSettings, RedisSettings, TenantSettings, WorkerSettings
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.library import library
from pageworker_supervisor.queue.limits_table import LimitsTable
from pageworker_supervisor.queue.producer import QuotaLimits
from pageworker_supervisor.redis_client import open_redis_client

CANCELLED = 6
"""Jobs that `through_all_states` cancels."""
RECEIVER = "https://n8n.test/hook"
IN_AN_HOUR = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat()


def job(job_id: str, **fields: Any) -> dict[str, Any]:
    return {"job_id": job_id, "endpoint_module": "shop.product", "payload": {"url": "https://shop.test/p"}} | fields


JOBS = [
    job("0"),
    job("1", priority="high", profile_id="p"),
    job("2", priority="low"),
    job("3", delay_seconds=50),
    job("4", expires_at=IN_AN_HOUR),
    job("5", endpoint_module="free"),
]


async def every_operation(api: ServedApi, known: str) -> list[int]:
    """The status codes of all operations but events, for a job and for none."""
    headers = api.as_("a1")
    paths = [
        f"/v1/jobs/{each}{rest}"
        for each in (known, "none")
        for rest in ("", "/result?wait=0.1", "/timeline", "/artifacts/0")
    ]
    paths += ["/v1/limits", "/v1/usage?days=400", "/v1/whoami", "/v1/modules"]
    return [(await api.client.get(path, headers=headers)).status_code for path in paths]


async def submit(api: ServedApi, jobs: list[dict[str, Any]], token: str = "a1") -> list[str]:
    answer = await api.client.post("/v1/jobs", json={"jobs": jobs}, headers=api.as_(token))
    assert answer.status_code == 200, answer.text
    return [each["status"] for each in answer.json()["jobs"]]


async def cancel(api: ServedApi, *jobs: str) -> list[int]:
    return [(await api.client.delete(f"/v1/jobs/{each}", headers=api.as_("a1"))).status_code for each in jobs]


async def through_all_states(api: ServedApi, queue: QueueClient) -> None:
    """`queue`: as a worker has it."""
    assert await submit(api, JOBS) == ["queued"] * 6
    assert await submit(api, JOBS) == ["known"] * 6
    assert set(await every_operation(api, "0")) == {200, 202, 404, 503}
    assert await cancel(api, "2", "3", "none") == [200, 200, 202]
    await queue.pauses.pause("module", "shop.product", "why", "ann")
    assert await submit(api, [job("6"), job("none")]) == ["queued", "queued"]
    await queue.pauses.unpause("module", "shop.product", "ann")
    leases = (await queue.consumer.claim("w1", everything())).leases
    assert len(leases) > 2
    assert await submit(api, [job("7", profile_id="p"), job("8")]) == ["queued", "queued"]
    assert await cancel(api, leases[-1].job_id, "7") == [202, 200]
    await every_operation(api, leases[0].job_id)
    assert await finish_all(queue.consumer, leases[:2], DONE)
    assert await submit(api, [job(leases[0].job_id, callback_url=RECEIVER)]) == ["known"]
    assert await cancel(api, leases[0].job_id) == [409]
    assert await queue.consumer.finish(leases[2], **JobEnd(status="rejected", result=b"{}"))
    assert await submit(api, [job(leases[2].job_id)]) == ["queued"], "its id is free again"
    await every_operation(api, leases[0].job_id)
    await queue.limits.set(
        LimitsTable(tenants={"acme": QuotaLimits(concurrency=1)}, budgets={"acme": "jobs_per_day=1"})
    )
    assert await submit(api, [job(str(number), profile_id="q") for number in range(20, 30)]) == ["queued"] * 10
    assert await cancel(api, "20") == [200]
    await every_operation(api, "21")
    await queue.pauses.pause("tenant", "beta", "a timer", "ann", for_seconds=600)
    assert await submit(api, [job("1")], "b1") == ["queued"]
    assert await queue.inspection.check_consistency() == []
    await queue.pauses.pause("tenant", "acme", "an event", "ann")


async def test_the_api_needs_no_other_right(live_redis: RedisServer, tmp_path: Path) -> None:
    """`serving` makes the user, and looks at what Redis has refused it."""
    acme = TenantSettings(callback_allow=(RECEIVER,), backlog_jobs=1000, callback_secret_file=Path("/dev/null"))
    tenants = {"acme": acme, "beta": TenantSettings()}
    settings = settings_for(live_redis.url, ApiSettings(bind="127.0.0.1:0", max_wait_seconds=0.2), tenants)
    audit, worker_settings = AuditSettings(key_file=tmp_path / "audit.key"), WorkerSettings(id="w1", data_dir=tmp_path)
    settings = structs.replace(settings, audit=audit, worker=worker_settings)
    async with serving(settings) as api:
        token = await TokenAdmin(api.queue.access_tokens).create("acme", ["viewer"])
        own_url = live_redis.url.replace("redis://", f"redis://{API_USER}:secret@")
        async with open_redis_client(RedisSettings(url=own_url), tmp_path) as own:
            assert await TokenReader(QueueClient(own).access_tokens).grant(token.text)
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            tasks.create_task(first_event(api))
            await through_all_states(api, api.queue)
            lines = await recorded(api.queue)
    assert {(line["action"], line["name"], line["program"]) for line in lines} == {
        ("api.cancel", "w1", "pageworker-api")
    }
    assert {line["detail"]["token_id"] for line in lines} == {"a1"}
    assert [line["target"] for line in lines][:3] == ["acme/2", "acme/3", "acme/none"]
    refused_to_do_more(live_redis)


async def recorded(queue: QueueClient) -> list[dict[str, Any]]:
    """The records of cancellations, once they are all there. They are written one after the other."""
    while len(lines := [line.record async for line in read_lines(queue.audit) if line is not None]) < CANCELLED:
        pass
    return lines


async def first_event(api: ServedApi) -> None:
    """Until the first event."""
    async with api.client.stream("GET", "/v1/events", headers=api.as_("a1")) as answer:
        async for chunk in answer.aiter_bytes():
            if b"event: " in chunk:
                return


def refused_to_do_more(server: RedisServer) -> None:
    """Neither other functions nor other keys, nor new functions."""
    names = library("pw", cluster=False)
    with server.client(API_USER, "secret") as client:
        for words in (
            ("FCALL", names.function("claim"), 1, "pw:{0}", ""),
            ("FCALL", names.function("access_token_add"), 1, "pw:{0}", ""),
            ("FUNCTION", "LOAD", "REPLACE", names.code),
            ("HSET", "pw:{0}:config", "a", "b"),
            ("HSET", "pw:{0}:access_token:1", "a", "b"),
            ("SET", "pw:result:acme:1", "x"),
            ("LPUSH", "pw:inbox", "x"),
            ("GET", "pw:{0}:scaling"),
            ("KEYS", "*"),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*words)
