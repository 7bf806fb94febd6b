"""The shipped flows with the n8n node, on a real n8n, against a real API and a real worker."""

import pytest
from pw_n8n.flows import nightly, node, shipped
from pw_n8n.system import SHOP_URL, System

CALL, NIGHT = "pageworkerNode01", "pageworkerNode02"

pytestmark = [pytest.mark.n8n, pytest.mark.timeout(900)]


@pytest.fixture(autouse=True)
def flows(system: System) -> None:
    if system.api is None:
        pytest.skip("needs pageworker-api, and the tarball of `make n8n-node`")


def test_a_caller_gets_the_data_or_the_reason(system: System) -> None:
    good = {"endpoint_module": "demo.echo", "payload": {"n": 1}, "priority": "high"}
    answer = system.post("pageworker-node", good)
    assert (answer.status_code, answer.json()) == (200, {"n": 1})
    bad = {"endpoint_module": "shop.trouble", "payload": {"url": SHOP_URL, "mode": "failing"}}
    answer = system.post("pageworker-node", bad)
    assert (answer.status_code, answer.json()["status"]) == (502, "failed")
    red = system.client.ended(CALL, 2)[0]
    assert red.status == "error"
    assert red.reason.startswith("failed: shop_unavailable: The shop is")
    system.shop.repaired = True
    try:
        system.client.retry(red)
        again = system.client.ended(CALL, 3)[0]
    finally:
        system.shop.repaired = False
    assert (again.status, [item["status"] for item in again.items("Run the job")]) == ("success", ["succeeded"])


def test_a_nightly_batch_runs_few_jobs_at_once_and_the_failed_ones_again(system: System) -> None:
    jobs = [{"endpoint_module": "demo.echo", "payload": {"n": n}} for n in range(4)]
    jobs.append({"endpoint_module": "shop.trouble", "payload": {"url": SHOP_URL, "mode": "failing"}})
    system.client.save(nightly(jobs, 3, "node-flows/nightly-batch"))
    failed = system.client.ended(NIGHT, 1)[0]
    assert failed.status == "error"
    assert failed.reason.startswith("1 jobs did not succeed: 1 x failed: shop_unavailable: The shop is")
    assert [len(run[0]) for run in failed.runs["Run them"]] == [3, 2]
    assert [item["data"] for item in failed.items("Use the data")] == [{"n": n} for n in range(4)]
    jobs_before = len(system.results_per_job())
    system.client.retry(failed)
    again = system.client.ended(NIGHT, 2)[0]
    assert [item["status"] for item in again.items("Run them")] == ["failed"]
    assert len(system.results_per_job()) == jobs_before + 1
    system.client.remove(NIGHT)


def test_a_client_hears_of_a_blocker(system: System) -> None:
    flow = {**shipped("node-flows/blockers"), "id": "nodeTells", "name": "node-tells"}
    request = node(flow, "Request")
    request["parameters"]["path"] = request["webhookId"] = flow["name"]
    whom = node(flow, "Whom to tell")["parameters"]
    url = f"{system.customer_url}/notify"
    whom["jsonOutput"] = whom["jsonOutput"].replace("https://acme.example/pageworker", url)
    system.client.save(flow)
    job = {"endpoint_module": "shop.trouble", "payload": {"url": SHOP_URL, "mode": "captcha"}}
    system.post("node-tells", job)
    execution = system.client.ended("nodeTells", 1)[0]
    assert execution.status == "success"
    (item,) = execution.items("Whom to tell")
    # The flow that listens to Redis tells the client as well, with the time.
    assert item["notification"] in system.customer.heard
    assert item["notification"]["kind"] == "captcha"
    assert set(item["notification"]) == {"tenant_id", "job_id", "kind", "provider", "evidence", "url"}
