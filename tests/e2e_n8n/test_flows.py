"""Our flows on a real n8n, against a real worker."""

import asyncio
from typing import Any

import httpx
import pytest
from pw_n8n.system import System

pytestmark = [pytest.mark.n8n, pytest.mark.timeout(900)]

SHOP = "http://shop.example"


async def call(system: System, module: str, payload: dict[str, Any]) -> httpx.Response:
    async with httpx.AsyncClient(timeout=60) as client:
        body = {"tenant_id": "acme", "endpoint_module": module, "payload": payload}
        return await client.post(f"{system.url}/webhook/pageworker-call", json=body)


async def test_a_caller_gets_data_or_the_reason(system: System) -> None:
    good = await call(system, "shop.product", {"url": f"{SHOP}/products/KTL-01"})
    assert (good.status_code, good.json()["price"]) == (200, "39.90")

    blocked = await call(system, "shop.trouble", {"url": SHOP, "mode": "captcha"})
    assert (blocked.status_code, blocked.json()["blocker"]["kind"]) == (502, "captcha")

    refused = await call(system, "shop.product", {"uri": "?"})
    assert (refused.status_code, refused.json()["status"]) == (502, "rejected")

    # These handlers end before n8n's execution waits for the callback: n8n answers 409 first.
    echoes = await asyncio.gather(*(call(system, "demo.echo", {"n": n}) for n in range(20)))
    assert [echo.json() for echo in echoes] == [{"n": n} for n in range(20)]

    results = await system.queue_client.all_results()
    assert len(results) == 23
    assert len({result["meta"]["execution"] for result in results}) == 23

    async with asyncio.timeout(60):
        for flow in ("pageworkerRes001", "pageworkerCall01"):
            while (ends := system.n8n.executions(flow)) != ["success"] * 23:
                assert "error" not in ends
                # n8n writes the end of an execution to its database some time later, and reports no event for it.
                await asyncio.sleep(0.2)
