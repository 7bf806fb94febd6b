"""The same names on several shards, on the embedded Redis, and on both together."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pw_tenants
import pytest
import pytest_asyncio
from pw_tenants import Home, home_with

from pageworker_supervisor.redis_client.router import shard_of

pytestmark = pw_tenants.MARKS
SHARDS = 3
DEPLOYMENTS: dict[str, dict[str, Any]] = {
    "shards": {"shards": SHARDS},
    "embedded": {"url": None, "port": 0},
    "embedded-shards": {"url": None, "port": 0, "shards": SHARDS},
}


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=list(DEPLOYMENTS))
async def deployed(request: pytest.FixtureRequest) -> AsyncIterator[Home]:
    """A worker of its own on such a Redis."""
    async with home_with(redis=DEPLOYMENTS[request.param]) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def home_apart() -> AsyncIterator[Home]:
    """A worker that may be killed."""
    async with home_with() as opened:
        yield opened


async def test_one_id_of_three_tenants_is_three_jobs(deployed: Home) -> None:
    """A, B and C, who live on different shards where there are several, push the same id; each has its own result."""
    job_id = deployed.fresh("three")
    everybody = [deployed.a, deployed.b, deployed.c]
    assert len({shard_of(tenant.name, SHARDS) for tenant in everybody}) > 1
    await deployed.a.push(*(tenant.say(job_id, callback_url=deployed.hook(tenant)) for tenant in everybody))
    for tenant in everybody:
        result = await tenant.result(job_id)
        assert result["data"]["tenant"] == tenant.name
        assert await tenant.kept(job_id) == result
        (post,) = await deployed.called(tenant, job_id)
        assert json.loads(post.body) == result


async def test_what_one_tenant_rejects_repeats_and_cancels_is_its_own(deployed: Home) -> None:
    """A has an id rejected, corrects it, pushes it again and cancels it; B's and C's jobs of that id run once."""
    job_id, (a, b, c) = deployed.fresh("own"), (deployed.a, deployed.b, deployed.c)
    await a.push(a.broken(job_id))
    await a.results(job_id)
    await a.push(a.say(job_id, {"seconds": 30}))
    await deployed.working(a.ref(job_id))
    for tenant in (b, c):
        await tenant.run(job_id)
    assert (await deployed.workerctl("cancel", str(a.ref(job_id))))[0] == 0
    assert [result["status"] for result in await a.results(job_id, 2)] == ["rejected", "cancelled"]
    await a.push(a.say(job_id, {"words": "other"}, callback_url=deployed.hook(a)))
    await deployed.called(a, job_id)
    for tenant in (b, c):
        result = await tenant.result(job_id)
        assert result["status"] == "succeeded"
        assert await tenant.kept(job_id) == result
        assert tenant.events(job_id) == []


async def test_jobs_of_one_id_survive_their_worker(home_apart: Home) -> None:
    """A's and B's jobs of one id run when their worker is killed; each comes back and has its one result."""
    job_id = home_apart.fresh("killed")
    pair = (home_apart.a, home_apart.b)
    for tenant in pair:
        await tenant.push(tenant.say(job_id, {"seconds": 6}))
    await home_apart.working(*(tenant.ref(job_id) for tenant in pair))
    home_apart.daemon.kill()
    await asyncio.to_thread(home_apart.daemon.start)
    for tenant in pair:
        result = await tenant.result(job_id)
        assert (result["status"], result["data"]["tenant"]) == ("succeeded", tenant.name)
        assert [attempt["outcome"] for attempt in result["attempts"]] == ["lost", "succeeded"]
        event = await tenant.event("worker_lost", job_id)
        assert (event["job_id"], event["tenant_id"]) == (job_id, tenant.name)
