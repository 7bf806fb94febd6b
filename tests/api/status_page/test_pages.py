"""What a visitor sees: a tenant its own alone, large lists page by page, and that Redis is away."""

import json
from pathlib import Path

import httpx
import pytest
from api.status_page.conftest import ServedPage, page_settings, status_page
from api.status_page.seeds import AT_MS
from pw_queue.words import everything, ticket
from pw_servers import RedisServer
from pw_servers.proxy import resp_proxy
from pw_worker.reports import worker_report

from pageworker_supervisor.api.app import starting_app
from pageworker_supervisor.api.status_page import site as site_module
from pageworker_supervisor.api.status_page.site import POLICY, starting_routes
from pageworker_supervisor.artifacts.store import ArtifactStore
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.worker_report import ReportedRunner

MARK = "of-beta-alone"


async def both_tenants(site: ServedPage, server: RedisServer, url: str) -> str:
    """Jobs in each state, dead letters and runners of acme and beta. Those of beta have the mark. Returns a letter."""
    queue = site.api.queue
    for tenant in ("acme", "beta"):
        mark = MARK if tenant == "beta" else "mine"
        await queue.producer.enqueue([ticket(f"{mark}-{n}", tenant) for n in range(3)])
        for lease in (await queue.consumer.claim("w1", everything(2))).leases[:2]:
            artifact = {"kind": mark, "url": url, "sha256": "0" * 64, "bytes": 1, "content_type": "text/html"}
            body = {"job_id": lease.ref.job_id, "tenant_id": tenant, "status": "failed", "artifacts": [artifact]}
            text = json.dumps(body).encode()
            await queue.consumer.finish(lease, status="failed", result=text, dead_letter=json.dumps(mark).encode())
        await queue.producer.enqueue([ticket(f"{mark}-later", tenant, delay_ms=3_600_000)])
    (lease,) = (await queue.consumer.claim("w1", everything(1))).leases
    runners = tuple(
        ReportedRunner(runner_id=f"runner-{mark}", tenant_id=tenant, state="idle", pages=1, running=0)
        for tenant, mark in (("acme", "mine"), ("beta", MARK))
    )
    await queue.workers.report(worker_report("w1", runners=runners, reported_at=AT_MS / 1000))
    return (await queue.dead_letters.page(1, tenant_id="beta")).letters[0].id


def paths(letter: str) -> list[str]:
    """Every page, with all that a query could name of beta."""
    lists = (
        "/",
        "/runners",
        "/jobs",
        "/jobs?state=ended",
        "/jobs?state=delayed",
        "/jobs?state=queued",
        "/dead-letters",
    )
    named = [f"{path}{'&' if '?' in path else '?'}tenant_id=beta" for path in lists]
    jobs = [
        f"{path}job_id={MARK}-0{tenant}"
        for path in ("/job?", "/artifact?number=0&", "/image?number=0&")
        for tenant in ("", "&tenant_id=beta", "&tenant_id=acme")
    ]
    cursors = [
        "/jobs?cursor=0:queued:",
        "/jobs?cursor=0:claimed:0-0",
        "/jobs?state=ended&cursor=0:",
        "/dead-letters?cursor=0:",
    ]
    fleet = ["/workers", "/queues", "/tenants", "/rollouts", "/tenant?tenant_id=beta", f"/dead-letter?id={letter}"]
    return [*lists, *named, *jobs, *cursors, *fleet]


async def test_a_tenant_sees_nothing_of_another(live_redis: RedisServer, tmp_path: Path) -> None:
    store = ArtifactStore.open((tmp_path / "kept").as_uri(), tmp_path)
    stored = await store.put(JobRef("beta", f"{MARK}-0"), 1, "html", "text/html", MARK.encode())
    async with status_page(page_settings(live_redis.url, tmp_path)) as site:
        letter = await both_tenants(site, live_redis, stored.url)
        seen: dict[str, set[bool]] = {"acme": set(), "fleet": set()}
        for name, cookie in (("acme", await site.cookie("acme")), ("fleet", await site.cookie(None))):
            for path in paths(letter):
                answer = await site.api.client.get(path, headers=cookie)
                assert answer.status_code in (200, 400, 404), (path, answer.status_code)
                shown = answer.text.replace(path.partition("?")[2].replace("&", "&amp;"), "")
                seen[name].add(MARK in shown)
                if name == "acme":
                    assert MARK not in shown, path
        assert seen == {"acme": {False}, "fleet": {True, False}}
        job = f"tenant_id=beta&job_id={MARK}-0&number=0"
        download = await site.api.client.get(f"/artifact?{job}", headers=cookie)
        assert (download.status_code, download.headers["content-disposition"]) == (200, "attachment")
        assert (await site.api.client.get(f"/image?{job}", headers=cookie)).status_code == 404, "it is no image"
        mine = await site.cookie("acme")
        for path in ("/jobs", "/dead-letters", "/tenant"):
            answer = await site.api.client.get(f"{path}?tenant_id=beta", headers=mine)
            assert answer.status_code == 404, "to a tenant, others do not exist"
        for path in ("/job?job_id=mine-0", "/jobs", "/jobs?state=ended", "/dead-letters", "/runners"):
            assert "mine" in (await site.api.client.get(path, headers=mine)).text, path


async def test_pages_of_lists_and_names_that_no_list_gave(live_redis: RedisServer, tmp_path: Path) -> None:
    async with status_page(page_settings(live_redis.url, tmp_path)) as site:
        await site.api.queue.producer.enqueue([ticket(f"j{n}", f"t{n:04}") for n in range(1000)])
        await site.api.queue.workers.report(worker_report("w1"))
        cookie, client = await site.cookie(None), site.api.client
        first = await client.get("/tenants", headers=cookie)
        assert first.text.count("<tr>") == 51
        assert "/tenants?after=t0047" in first.text, "acme and beta come first"
        jobs = await client.get("/jobs", headers=cookie)
        assert jobs.text.count("<tr>") == 51
        for path in (
            *("/workers?after=x", "/workers?after=x|1", "/jobs?cursor=x", "/jobs?cursor=0:claimed:x"),
            *("/jobs?state=ended&cursor=7:", "/jobs?state=x", "/dead-letters?cursor=-1:", "/dead-letters?cursor=1:"),
            *("/jobs?a=b", f"/jobs?cursor={'0' * 1001}", "/jobs?state=queued&state=ended"),
        ):
            answer = await client.get(path, headers=cookie)
            assert (answer.status_code, answer.headers["content-type"]) == (400, "text/html; charset=utf-8"), path
        for path in ("/job?tenant_id=acme&job_id=none", "/job?tenant_id=Acme&job_id=1", "/dead-letter?id=x", "/job"):
            assert (await client.get(path, headers=cookie)).status_code == 404, path
        assert (await client.get("/workers?after=1.5|1", headers=cookie)).status_code == 200


async def test_while_the_api_starts_the_page_says_so() -> None:
    app = starting_app(lambda: "Redis does not answer", starting_routes(lambda: "Redis does not answer"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.example") as client:
        for path in ("/", "/sign-in", "/job?job_id=1"):
            page = await client.get(path)
            assert (page.status_code, page.headers["retry-after"]) == (503, "2")
            assert "Redis does not answer" in page.text
            assert page.headers["content-security-policy"] == POLICY
        assert (await client.get("/status.css")).status_code == 200
        assert (await client.get("/v1/jobs/1")).headers["content-type"] == "application/problem+json"


async def test_a_redis_that_is_away_or_silent_is_said(
    live_redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with resp_proxy(live_redis) as proxy, status_page(page_settings(proxy.url, tmp_path)) as site:
        cookie = await site.cookie(None)
        with monkeypatch.context() as patch:
            patch.setattr(site_module, "PAGE_SECONDS", 0.3)
            proxy.stall()
            silent = await site.api.client.get("/queues", headers=cookie)
            proxy.heal()
        assert (silent.status_code, "did not answer within 0.3 s" in silent.text) == (503, True)
        proxy.cut()
        answer = await site.api.client.get("/queues", headers=cookie)
        assert answer.status_code == 503
        assert "Redis does not serve the API now" in answer.text
        assert answer.headers["retry-after"]
