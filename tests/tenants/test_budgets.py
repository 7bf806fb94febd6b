"""One tenant's egress budget, and what goes past it, cost the other tenant nothing."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from pw_daemon import HEADLESS_SHELL, Producer, place, write_module
from pw_servers.weighing_site import BIG, weighing_site

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis, pytest.mark.timeout(180)]

VISIT = """
try:
    # A document that is cut never ends loading.
    await page.goto(payload["url"], timeout=payload.get("ms", 3_000))
except Exception:
    pass
await asyncio.sleep(0.5)
return {"title": await page.title()}
"""
BYTES, REQUESTS = 100_000, 2
JOBS = 6


async def test_a_tenant_past_its_budgets_takes_nothing_from_another_one(tmp_path: Path) -> None:
    """Team-a has budgets, of which each of its jobs wants more. Team-b has none. Both load the same pages."""
    module = write_module(tmp_path, "test.visit", VISIT, ["site.test"])
    async with weighing_site(None) as site, place(module) as here:
        settings: dict[str, Any] = {
            "browser": HEADLESS_SHELL,
            "pool": {"runners": 2, "pages": 2},
            "egress": {"hosts": {"site.test": f"127.0.0.1:{site.port}"}},
            "tenants": {
                "team-a": {"egress_budget_bytes": BYTES, "egress_budget_requests": REQUESTS},
                "team-b": {"weight": 1},
            },
        }
        async with aclosing(Producer(here.redis.url, "team-a")) as a, aclosing(Producer(here.redis.url, "team-b")) as b:
            with here.worker(**settings):
                for n in range(JOBS):
                    path = "/images" if n % 2 else "/big"
                    await a.push(a.job(f"a-{n}", "test.visit", {"url": f"http://site.test{path}"}))
                    await b.push(b.job(f"b-{n}", "test.visit", {"url": f"http://site.test{path}", "ms": 60_000}))
                # The stream has the results of both.
                await asyncio.gather(a.collect(2 * JOBS, 90), b.collect(2 * JOBS, 90))
    theirs = [a.results[f"a-{n}"] for n in range(JOBS)]
    assert {(one["status"], one["error"]["type"], len(one["attempts"])) for one in theirs} == {
        ("failed", "egress_budget", 1)
    }
    assert {one["error"]["detail"]["budget"] for one in theirs} == {"bytes", "requests"}
    ours = [b.results[f"b-{n}"] for n in range(JOBS)]
    assert [(one["status"], one["data"], len(one["attempts"])) for one in ours] == [
        ("succeeded", {"title": "/images" if n % 2 else "/big"}, 1) for n in range(JOBS)
    ]
    assert sum(one["usage"]["bytes_in"] for one in ours) > JOBS // 2 * BIG
    assert not {one["runner_id"] for one in theirs} & {one["runner_id"] for one in ours}
