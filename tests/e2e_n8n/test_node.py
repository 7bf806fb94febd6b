"""The n8n node in a real n8n: installed from its tarball, against a real API and a real worker."""

from collections import Counter
from typing import Any

import pytest
from pw_n8n.node_flows import CREDENTIAL, ENDS, node_flow, run_and_wait
from pw_n8n.system import SHOP_URL, System

pytestmark = [pytest.mark.n8n, pytest.mark.timeout(900)]


@pytest.fixture(autouse=True)
def node(system: System) -> None:
    if system.api is None:
        pytest.skip("needs pageworker-api, and the tarball of `make n8n-node`")


def item(module: str, payload: dict[str, Any]) -> dict[str, Any]:
    return {"endpoint_module": module, "payload": payload}


def run(system: System, flow: dict[str, Any], *items: dict[str, Any]) -> Any:
    """Save the flow, give it the items, and return its execution once that has ended."""
    system.client.save(flow)
    before = len(system.client.statuses(flow["id"]))
    system.post(flow["name"], {"items": items})
    return system.client.ended(flow["id"], before + 1)[0]


def test_the_test_of_the_credential_tells_a_good_token_from_a_bad_one(system: System) -> None:
    assert system.api is not None
    tested = {
        token: system.client.tested_credential(CREDENTIAL, {"baseUrl": f"{system.api.url}/", "token": token})
        for token in (system.api.token("acme"), "pw_0123456789abcdef_" + "0" * 64)
    }
    assert [status for status, _ in tested.values()] == ["OK", "Error"], tested


def test_one_node_runs_a_job_and_continues_with_its_result(system: System) -> None:
    execution = run(system, node_flow("nodeOne", "node-one", run_and_wait()), item("demo.echo", {"n": 1}))
    (result,) = execution.items("Succeeded")
    assert (execution.status, result["status"], result["data"]) == ("success", "succeeded", {"n": 1})
    assert result["meta"] == {"workflow": "nodeOne", "execution": execution.id}


def test_a_failed_job_is_red_with_the_reason_and_retry_runs_it_as_a_new_job(system: System) -> None:
    failing = item("shop.trouble", {"url": SHOP_URL, "mode": "failing"})
    execution = run(system, node_flow("nodeRed", "node-red", run_and_wait()), failing)
    assert execution.status == "error"
    assert execution.reason.startswith("failed: shop_unavailable: The shop is")
    assert execution.items("Succeeded") == []
    jobs = len(system.results_per_job())
    system.client.retry(execution)
    again = system.client.ended("nodeRed", 2)[0]
    assert (again.status, again.reason) == ("error", execution.reason)
    assert len(system.results_per_job()) == jobs + 1


def test_each_kind_of_end_has_its_output(system: System) -> None:
    items = [
        item("demo.echo", {"n": 1}),
        item("shop.trouble", {"url": SHOP_URL, "mode": "captcha"}),
        item("shop.trouble", {"url": SHOP_URL, "mode": "failing"}),
        item("shop.trouble", {"url": SHOP_URL, "mode": "no such mode"}),
    ]
    flow = node_flow("nodeOutputs", "node-outputs", run_and_wait(onFailure="outputs"))
    execution = run(system, flow, *items)
    assert execution.status == "success"
    found = {end: [result["status"] for result in execution.items(end)] for end in ENDS}
    assert found == {"Succeeded": ["succeeded"], "Blocked": ["blocked"], "Failed": ["failed", "rejected"]}


def test_results_of_several_jobs_come_in_the_order_of_the_items(system: System) -> None:
    naps = [item("test.nap", {"seconds": seconds}) for seconds in (2, 0.1, 1)]
    execution = run(system, node_flow("nodeMany", "node-many", run_and_wait()), *naps)
    runs = [result["job_id"].rpartition("-")[2] for result in execution.items("Succeeded")]
    assert (execution.status, runs) == ("success", ["0", "1", "2"])


def test_polling_gives_the_same_result(system: System) -> None:
    flow = node_flow("nodePolling", "node-polling", run_and_wait(waitBy="polling"))
    (result,) = run(system, flow, item("test.nap", {"seconds": 1})).items("Succeeded")
    assert result["status"] == "succeeded"


def test_a_submitted_job_can_be_looked_at_and_cancelled(system: System) -> None:
    submit = {**run_and_wait(), "operation": "submit"}
    execution = run(system, node_flow("nodeSubmit", "node-submit", submit), item("test.nap", {"seconds": 60}))
    (submitted,) = execution.items("Succeeded")
    assert (submitted["tenant_id"], submitted["status"]) == ("acme", "queued")
    job = {"job_id": submitted["job_id"]}
    by_id = {"resource": "job", "jobId": "={{ $json.job_id }}"}
    cancel = node_flow("nodeCancel", "node-cancel", {**by_id, "operation": "cancel"})
    assert run(system, cancel, job).items("Succeeded")[0]["outcome"] in ("cancelled", "cancelling")
    get = node_flow("nodeGet", "node-get", {**by_id, "operation": "get", "waitSeconds": 30})
    (found,) = run(system, get, job).items("Succeeded")
    assert (found["state"], found["result"]["status"]) == ("ended", "cancelled")


def test_modules_are_listed_and_each_input_is_a_field(system: System) -> None:
    listing = node_flow("nodeModules", "node-modules", {"resource": "module", "operation": "getAll", "returnAll": True})
    listed = {module["name"]: module for module in run(system, listing, {}).items("Succeeded")}
    assert {"demo.echo", "shop.product", "shop.trouble"} <= listed.keys()
    by_list = {"__rl": True, "mode": "list", "value": "shop.trouble"}
    flow = node_flow("nodeFields", "node-fields", run_and_wait(module=by_list, payloadFrom="fields"))
    fields = {field["id"]: field for field in system.client.mapper_fields("nodeModules", flow["nodes"][2])}
    assert fields.keys() == listed["shop.trouble"]["input"]["properties"].keys()
    assert fields["url"]["required"]


def test_limits_and_artifacts_of_the_tenant_are_there(system: System) -> None:
    limits = node_flow("nodeLimits", "node-limits", {"resource": "limit", "operation": "get"})
    assert run(system, limits, {}).items("Succeeded")[0]["tenant_id"] == "acme"
    outputs = node_flow("nodeShot", "node-shot", run_and_wait(onFailure="outputs"))
    captcha = item("shop.trouble", {"url": SHOP_URL, "mode": "captcha"})
    (blocked,) = run(system, outputs, captcha).items("Blocked")
    (number,) = [index for index, each in enumerate(blocked["artifacts"]) if each["kind"] == "screenshot"]
    download = {"resource": "artifact", "operation": "download", "binaryPropertyName": "data", "number": number}
    flow = node_flow("nodeDownload", "node-download", {**download, "jobId": "={{ $json.job_id }}"})
    (found,) = run(system, flow, {"job_id": blocked["job_id"]}).items("Succeeded")
    assert (found["content_type"], found["bytes"]) == ("image/jpeg", blocked["artifacts"][number]["bytes"])


def test_no_job_has_two_results(system: System) -> None:
    assert set(Counter(system.results_per_job().values())) == {1}
