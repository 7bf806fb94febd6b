"""Limits that a producer can see."""

from api.conftest import serving, settings_for
from pw_queue.words import everything
from pw_servers import RedisServer

from pageworker_supervisor.config.api_settings import ApiSettings
from pageworker_supervisor.config.settings import TenantSettings
from pageworker_supervisor.queue.limits_table import LimitsTable

SLOW = ApiSettings(bind="127.0.0.1:0", requests_per_second=0.001)


async def test_a_tenant_sees_its_limits_and_what_it_uses(live_redis: RedisServer) -> None:
    tenants = {"acme": TenantSettings(concurrency=3, backlog_jobs=10), "beta": TenantSettings()}
    async with serving(settings_for(live_redis.url, SLOW, tenants)) as api:
        jobs = [{"job_id": str(number), "endpoint_module": "shop.product"} for number in range(5)]
        await api.client.post("/v1/jobs", json={"jobs": jobs}, headers=api.as_("a1"))
        await api.queue.consumer.claim("w1", everything(2))
        seen = (await api.client.get("/v1/limits", headers=api.as_("a1"))).json()
        assert (seen["concurrency"], seen["backlog_jobs"], seen["rate_per_second"]) == (3, 10, None)
        assert (seen["jobs"], seen["running"], seen["queued"], seen["paused"]) == (5, 2, 3, False)
        assert seen["requests"] == {"per_second": 0.001, "burst": 200, "left": 198}
        assert (seen["budgets"], seen["paused_until"]) == ([], None)
        await api.queue.limits.set(LimitsTable(budgets={"acme": "jobs_per_day=3"}))
        (budget,) = (await api.client.get("/v1/limits", headers=api.as_("a1"))).json()["budgets"]
        assert (budget["budget"], budget["limit"], budget["used"]) == ("jobs_per_day", 3, 0)
        assert budget["resets_at"].endswith("T00:00:00Z")
        other = (await api.client.get("/v1/limits", headers=api.as_("b1"))).json()
        assert (other["tenant_id"], other["jobs"]) == ("beta", 0)
        foreign = await api.client.get("/v1/limits?tenant_id=acme", headers=api.as_("b1"))
        assert foreign.status_code == 404
        unknown = await api.client.get("/v1/limits?tenant_id=gamma", headers=api.as_("f1"))
        assert unknown.status_code == 404
