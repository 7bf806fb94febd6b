"""Proxy policies in a worker: who gets which, who is refused by name, and what changes while jobs wait."""

import json
from pathlib import Path
from typing import Any

import pytest
from pw_servers import RedisServer
from pw_worker import PAGES, change, echoes, nap, taken

from pageworker_supervisor.telemetry import log

URL = "http://127.0.0.1:3128"
PORTS = {"egress": {"proxy_ports": [3128]}}


def settings(*, tenants: dict[str, Any] | None = None, **proxies: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        **PORTS,
        "proxies": {name: {"upstreams": [URL], **given} for name, given in proxies.items()},
        "tenants": tenants or {"acme": {}},
    }


async def test_a_job_has_the_policy_of_its_tenant_or_its_own(
    live_redis: RedisServer, registry_key: tuple[Path, str]
) -> None:
    lines: list[dict[str, Any]] = []
    more = settings(de={}, fr={}, tenants={"acme": {"proxy": "de"}})
    async with echoes(live_redis.url, live_redis, registry_key, more=more) as worker:
        sink = log.add(lambda message: lines.append(dict(message.record["extra"])), level="DEBUG")
        try:
            await worker.push(nap("tenant", 1), nap("own", 1, fields={"proxy": "fr"}))
            await worker.push(nap("none", 1, fields={"proxy": "direct"}))
            await worker.answered(3, 30)
        finally:
            log.remove(sink)
    found = {job: result["attempts"][0]["proxy"] for job, result in worker.results.items()}
    assert found == {"tenant": "de", "own": "fr", "none": None}, "an echo makes no request"
    runners = {result["runner_id"] for result in worker.results.values()}
    assert len(runners) == 3, "jobs of different policies share no runner"
    proxies = {line.get("proxy") for line in lines if line.get("job") == "acme/own"}
    assert proxies <= {"fr", None}
    assert "fr" in proxies


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"proxy": "gone"}, "the job names `gone`, which is no policy here; the tenant may use: de;"),
        ({"proxy": "own"}, "the job names `own`, which tenant acme may not use; the tenant may use: de;"),
        ({"proxy": "direct"}, "the job names `direct`, and tenant acme must use a proxy; the tenant may use: de;"),
    ],
)
async def test_a_policy_that_a_job_may_not_have_is_refused_by_name_without_a_page(
    live_redis: RedisServer, registry_key: tuple[Path, str], fields: dict[str, Any], told: str
) -> None:
    """By intake, and by the worker that claims a job which waited while the policy went."""
    tenants = {"acme": {"proxy": "de", "proxy_required": True}}
    more = settings(de={}, own={"tenants": ["other"]}, tenants=tenants)
    async with echoes(live_redis.url, live_redis, registry_key, more=more) as worker:
        job = {"job_id": "pushed", "tenant_id": "acme", "endpoint_module": "test.nap", "payload": {"do": "x", "ms": 1}}
        await worker.client.rpush("pw:inbox", json.dumps({**job, **fields}))
        await worker.push(nap("waited", 1, fields=fields))
        await worker.answered(2, 30)
        assert worker.components.fleet.runners == {}
    for result in worker.results.values():
        error = result["error"]
        assert (result["status"], error["type"], error["retryable"]) == ("rejected", "proxy_unknown", False)
        assert told in error["message"]
        assert error["detail"]["field"] == "proxy"


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        ({}, "the job names `de`, which is no policy here; the tenant may use: none;"),
        (
            {"proxies.de.upstreams": [URL], "proxies.de.tenants": ["other"]},
            "the job names `de`, which tenant acme may not use; the tenant may use: none;",
        ),
    ],
    ids=["removed", "of another tenant"],
)
async def test_a_policy_that_goes_while_jobs_use_it_ends_those_that_wait_and_leaves_those_that_run(
    live_redis: RedisServer, registry_key: tuple[Path, str], rest: dict[str, Any], told: str
) -> None:
    async with echoes(live_redis.url, live_redis, registry_key, more=PORTS) as worker:
        await change(worker, {"proxies.de.upstreams": [URL]})
        await worker.push(*(nap(f"running-{n}", 1, "hold", fields={"proxy": "de"}) for n in range(PAGES)))
        await worker.until(lambda: taken(worker) == PAGES)
        (runner,) = worker.components.fleet.runners
        await worker.push(*(nap(f"waiting-{n}", 1, fields={"proxy": "de"}) for n in range(3)))
        await change(worker, rest)
        assert taken(worker) == PAGES
        gateway = worker.components.gateway
        assert gateway._rules.targets == ("127.0.0.1:3128",), "those that run still have their way out"
        worker.components.echo.release()
        await worker.answered(PAGES + 3, 30)
        await worker.push(nap("direct", 1))
        await worker.answered(PAGES + 4, 30)
        await worker.until(lambda: gateway._rules.targets == (("127.0.0.1:3128",) if rest else ()))
    for job_id, result in worker.results.items():
        if job_id.startswith("running"):
            (attempt,) = result["attempts"]
            assert (result["status"], result["runner_id"], attempt["proxy"]) == ("succeeded", runner, "de")
        elif job_id.startswith("waiting"):
            error = result["error"]
            assert (result["status"], error["type"], result["attempts"]) == ("rejected", "proxy_unknown", [])
            assert told in error["message"]
    direct = worker.results["direct"]
    assert (direct["status"], direct["attempts"][0]["proxy"]) == ("succeeded", None)
    assert direct["runner_id"] != runner, "no job without the policy runs where it was"


async def test_each_attempt_of_a_policy_that_rotates_by_job_is_alone_on_its_runner(
    live_redis: RedisServer, registry_key: tuple[Path, str]
) -> None:
    more = settings(each={"rotation": "job"}, tenants={"acme": {"proxy": "each"}})
    async with echoes(live_redis.url, live_redis, registry_key, more=more) as worker:
        assert PAGES > 1
        most = 0
        await worker.push(*(nap(f"j{n}", 30) for n in range(6)))
        while len(worker.results) < 6:
            await worker.turn()
            running = [len(runner.running) for runner in worker.components.fleet.runners.values()]
            most = max(most, *running, 0)
            if sum(running) == 0:
                await worker.answered(min(6, len(worker.results) + 1), 30)
        assert most <= 1
    assert {(result["status"], len(result["attempts"])) for result in worker.results.values()} == {("succeeded", 1)}


async def test_a_login_that_cannot_be_read_defers_the_job_until_it_can(
    live_redis: RedisServer, registry_key: tuple[Path, str], tmp_path: Path
) -> None:
    folder = tmp_path / "secrets"
    (folder / "_fleet").mkdir(parents=True)
    more = settings(de={"credentials": "proxy_login"}, tenants={"acme": {"proxy": "de"}})
    more["secrets"] = {"backend": "files", "files": {"folder": str(folder)}}
    async with echoes(live_redis.url, live_redis, registry_key, more=more) as worker:
        await worker.push(nap("j", 1))
        await worker.until(lambda: b'pageworker_job_defers_total{reason="secrets"}' in worker.metrics())
        assert worker.components.fleet.runners == {}
        file = folder / "_fleet" / "proxy_login"
        file.touch(0o600)
        file.write_text("ada:correct-horse")
        await worker.answered(1, 30)
    assert (worker.results["j"]["status"], len(worker.results["j"]["attempts"])) == ("succeeded", 1)
