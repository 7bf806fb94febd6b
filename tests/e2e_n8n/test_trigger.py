"""The trigger node in a real n8n: its subscription comes and goes with the workflow, and starts it."""

from typing import Any

import httpx
import pytest
from pw_n8n.flows import node, shipped
from pw_n8n.system import System
from pw_servers.waiting import until

FLOW = "pageworkerNode04"

pytestmark = [pytest.mark.n8n, pytest.mark.timeout(900)]


@pytest.fixture(autouse=True)
def installed_node(system: System) -> None:
    if system.api is None:
        pytest.skip("needs pageworker-api, and the tarball of `make n8n-node`")


def trigger_flow(events: list[str]) -> dict[str, Any]:
    """The shipped one, with these events of one module."""
    flow = shipped("node-flows/every-result")
    node(flow, "A job has ended")["parameters"].update(events=events, modules="demo.*")
    return flow


def test_a_published_workflow_hears_of_results_until_it_is_unpublished(system: System) -> None:
    api = system.api
    assert api is not None
    headers = {"Authorization": f"Bearer {api.token('acme')}"}

    def subscriptions() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.get(f"{api.url}/v1/subscriptions", headers=headers).json()["subscriptions"]
        return found

    system.client.save(trigger_flow(["job.failed"]))
    until(lambda: len(subscriptions()) == 1, "the subscription is there", 60, 0.2)
    (first,) = subscriptions()
    system.client.save(trigger_flow(["job.succeeded"]))
    until(lambda: [each["events"] for each in subscriptions()] == [["job.succeeded"]], "it has changed", 60, 0.2)
    (found,) = subscriptions()
    assert (found["url"], found["modules"]) == (first["url"], ["demo.*"])
    refused = httpx.post(found["url"], json={"type": "job.succeeded", "data": {}}, timeout=60)
    assert (refused.status_code, refused.json()) == (401, {"message": "The request is not signed."})
    system.push(system.job("test.nap", {"seconds": 0}, job_id="trigger-other"))
    system.push(system.job("demo.echo", {"n": 7}, job_id="trigger-1"))
    (execution,) = system.client.ended(FLOW, 1)
    (event,) = execution.items("A job has ended")
    assert (event["type"], event["data"]["job_id"], event["data"]["data"]) == ("job.succeeded", "trigger-1", {"n": 7})
    assert event["id"].startswith("msg_")
    # The subscription survives the restart of n8n, and so does what comes meanwhile.
    system.n8n.kill()
    system.push(system.job("demo.echo", {"n": 8}, job_id="trigger-2"))
    until(lambda: system.results_per_job()["trigger-2"] == 1, "the job has ended", 60, 0.2)
    system.n8n.start()
    again = system.client.ended(FLOW, 2)[0]
    assert [(item["job_id"], item["data"]) for item in again.items("Use the data")] == [("trigger-2", {"n": 8})]
    assert [each["subscription_id"] for each in subscriptions()] == [found["subscription_id"]]
    system.client.remove(FLOW)
    until(lambda: subscriptions() == [], "the subscription is gone", 60, 0.2)
