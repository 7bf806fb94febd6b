"""The n8n node runs all items as one batch: one callback, and the results in the order of the items."""

import httpx
import pytest
from pw_n8n.node_flows import node_flow, run_and_wait
from pw_n8n.system import SHOP_URL, System

pytestmark = [pytest.mark.n8n, pytest.mark.timeout(900)]


def test_a_batch_is_continued_by_one_callback_with_all_results(system: System) -> None:
    api = system.api
    if api is None:
        pytest.skip("needs pageworker-api, and the tarball of `make n8n-node`")
    headers = {"Authorization": f"Bearer {api.token('acme')}"}
    if httpx.get(f"{api.url}/v1/batches/none", headers=headers).status_code == 501:
        pytest.skip("this version has no batches")
    flow = node_flow("nodeBatch", "node-batch", {**run_and_wait(onFailure="outputs"), "resource": "batch"})
    system.client.save(flow)
    items = [{"endpoint_module": "test.nap", "payload": {"seconds": seconds}} for seconds in (1.5, 0, 0.5)]
    items.append({"endpoint_module": "shop.trouble", "payload": {"url": SHOP_URL, "mode": "failing"}})
    items.append({"endpoint_module": "not a module", "payload": {}})
    system.post("node-batch", {"items": items})
    (execution,) = system.client.ended("nodeBatch", 1)
    assert execution.status == "success", execution.reason
    done, failed = execution.items("Succeeded"), execution.items("Failed")
    assert [result["job_id"].rpartition("-")[2] for result in done] == ["0", "1", "2"]
    assert [result["status"] for result in failed] == ["failed", "rejected"]
    batch_id = done[0]["job_id"].rpartition("-")[0]
    batch = httpx.get(f"{api.url}/v1/batches/{batch_id}", headers=headers).json()
    assert (batch["state"], batch["counts"]["succeeded"], batch["counts"]["failed"]) == ("complete", 3, 1)
