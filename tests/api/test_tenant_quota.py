"""One tenant does not take what all share."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from api.conftest import serving, settings_for
from api.test_artifact_endpoint import ended_with, settings_in
from pw_servers import RedisServer

from pageworker_supervisor.api import artifact_downloads, event_endpoint, request_body
from pageworker_supervisor.api.tenant_quota import TenantQuota
from pageworker_supervisor.artifacts.store import ArtifactStore
from pageworker_supervisor.contract.job import JobRef


def test_a_tenant_has_half() -> None:
    quota = TenantQuota(4)
    assert [quota.take("acme") for _ in range(3)] == [True, True, False]
    assert quota.take("beta", 2)
    assert not quota.take("gamma")
    quota.give_back("acme")
    assert not quota.take("beta")
    assert quota.take("acme")
    assert TenantQuota(1).take("acme")


async def test_streams_of_events(live_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_endpoint, "MOST_STREAMS", 2)
    async with serving(settings_for(live_redis.url)) as api, asyncio.timeout(30):
        async with api.client.stream("GET", "/v1/events", headers=api.as_("a1")) as mine:
            assert mine.status_code == 200
            refused = await api.client.get("/v1/events", headers=api.as_("a1"))
            assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
            async with api.client.stream("GET", "/v1/events", headers=api.as_("b1")) as other:
                assert other.status_code == 200
        status = 503
        while status == 503:  # until the API has noticed that the client is gone
            async with api.client.stream("GET", "/v1/events", headers=api.as_("a1")) as again:
                status = again.status_code
        assert status == 200


async def test_downloads_count_from_the_call_of_the_store_on(
    live_redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact_downloads, "MOST_AT_ONCE", 2)
    stored = await ArtifactStore.open((tmp_path / "kept").as_uri(), tmp_path).put(
        JobRef("acme", "17"), 1, "html", "text/html", b"page"
    )
    asked, answers, get = asyncio.Event(), asyncio.Event(), ArtifactStore.get

    async def slow(self: ArtifactStore, key: str) -> tuple[int, AsyncIterator[bytes]]:
        asked.set()
        await answers.wait()
        return await get(self, key)

    monkeypatch.setattr(ArtifactStore, "get", slow)
    path = "/v1/jobs/17/artifacts/0"
    async with serving(settings_in(live_redis.url, tmp_path)) as api, asyncio.timeout(30):
        await ended_with(api, stored)
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(api.client.get(path, headers=api.as_("a1")))
            with contextlib.ExitStack() as after:
                after.callback(answers.set)
                await asked.wait()
                refused = await api.client.get(path, headers=api.as_("a1"))
                assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert first.result().content == b"page"
        assert (await api.client.get(path, headers=api.as_("a1"))).content == b"page"


async def test_slow_bodies(live_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body.RequestBodies.__init__, "__defaults__", (2000, 30.0))
    head = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer pw_a1_secret\r\nContent-Length: 900\r\n\r\n"
    body = b'{"job_id": "18", "endpoint_module": "shop.product"}' + b" " * 400
    async with serving(settings_for(live_redis.url)) as api, asyncio.timeout(30):
        _, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(head + b" " * 850)  # the rest does not come
        status = 0
        while status != 503:  # once the slow body has begun to arrive
            status = (await api.client.post("/v1/jobs", content=body, headers=api.as_("a1"))).status_code
        assert (await api.client.post("/v1/jobs", content=body, headers=api.as_("b1"))).status_code == 202
        writer.transport.abort()
