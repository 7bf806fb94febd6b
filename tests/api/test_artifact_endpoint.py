"""Artifacts over HTTP, from a real folder."""

import json
from pathlib import Path

import msgspec
from api.conftest import ServedApi, serving, settings_for
from msgspec import structs
from pw_queue.words import everything
from pw_servers import RedisServer

from pageworker_supervisor.artifacts.store import ArtifactStore
from pageworker_supervisor.config.settings import ArtifactSettings, Settings, WorkerSettings
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.result import ArtifactRecord

PAGE = b"<script>alert(1)</script>" * 20_000


def settings_in(url: str, folder: Path) -> Settings:
    return structs.replace(
        settings_for(url),
        worker=WorkerSettings(data_dir=folder),
        artifacts=ArtifactSettings(url=(folder / "kept").as_uri()),
    )


async def ended_with(api: ServedApi, *artifacts: ArtifactRecord) -> None:
    """Job 17 of acme has this result."""
    job = {"job_id": "17", "endpoint_module": "shop.product"}
    assert (await api.client.post("/v1/jobs", json=job, headers=api.as_("a1"))).status_code == 202
    (lease,) = (await api.queue.consumer.claim("w1", everything(1))).leases
    result = {"job_id": "17", "tenant_id": "acme", "artifacts": msgspec.to_builtins(artifacts)}
    assert await api.queue.consumer.finish(lease, "succeeded", json.dumps(result).encode())


async def test_an_artifact_comes_back_and_no_browser_runs_it(live_redis: RedisServer, tmp_path: Path) -> None:
    store = ArtifactStore.open((tmp_path / "kept").as_uri(), tmp_path)
    stored = await store.put(JobRef("acme", "17"), 1, "html", "text/html", PAGE)
    foreign = await store.put(JobRef("beta", "17"), 1, "html", "text/html", b"of beta")
    gone = structs.replace(stored, url=stored.url.replace(stored.sha256[:12], "0" * 12))
    outside = structs.replace(stored, url="file:///etc/passwd")
    async with serving(settings_in(live_redis.url, tmp_path)) as api:
        await ended_with(api, stored, foreign, gone, outside)
        answer = await api.client.get("/v1/jobs/17/artifacts/0", headers=api.as_("v1"))
        assert (answer.status_code, answer.content) == (200, PAGE)
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["content-disposition"] == "attachment"
        assert answer.headers["content-security-policy"].startswith("sandbox")
        assert answer.headers["x-content-type-options"] == "nosniff"
        head = await api.client.head("/v1/jobs/17/artifacts/0", headers=api.as_("v1"))
        assert (head.status_code, head.headers["content-length"]) == (200, str(len(PAGE)))
        for number in ("1", "2", "3", "4", "-1", "x", "00"):
            refused = await api.client.get(f"/v1/jobs/17/artifacts/{number}", headers=api.as_("a1"))
            assert (refused.status_code, refused.json()["code"]) == (404, "not_found"), number
        other = await api.client.get("/v1/jobs/17/artifacts/0", headers=api.as_("b1"))
        assert other.status_code == 404


async def test_a_store_that_cannot_be_read_is_no_bug(live_redis: RedisServer, tmp_path: Path) -> None:
    stored = await ArtifactStore.open((tmp_path / "kept").as_uri(), tmp_path).put(
        JobRef("acme", "17"), 1, "html", "text/html", PAGE
    )
    # A file in place of the tenant's folder: reading below it fails, also for root.
    (tmp_path / "kept" / "acme").rename(tmp_path / "moved")
    (tmp_path / "kept" / "acme").write_bytes(b"")
    async with serving(settings_in(live_redis.url, tmp_path)) as api:
        await ended_with(api, stored)
        answer = await api.client.get("/v1/jobs/17/artifacts/0", headers=api.as_("a1"))
        assert (answer.status_code, answer.json()["code"]) in ((503, "store_unavailable"), (404, "not_found"))
        assert str(tmp_path) not in answer.text
