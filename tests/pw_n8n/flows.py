"""The shipped flows, changed as a user changes them, and a flow of a user that calls them."""

import datetime as dt
import json
from itertools import pairwise
from typing import Any

from pw_n8n.server import REPOSITORY

FOLDER = REPOSITORY / "n8n"


def shipped(name: str) -> dict[str, Any]:
    """A flow of the folder n8n, e.g. `call-and-wait`."""
    flow: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return flow


def node(flow: dict[str, Any], name: str) -> dict[str, Any]:
    """A node of a flow, to be changed in place."""
    (found,) = [each for each in flow["nodes"] if each["name"] == name]
    parameters: dict[str, Any] = found
    return parameters


def copy_of_call_and_wait(flow_id: str, path: str, **wait: Any) -> dict[str, Any]:
    """Another flow of the same nodes on a webhook of its own. `wait`: parameters of its Wait node."""
    flow = {**shipped("call-and-wait"), "id": flow_id, "name": path}
    request = node(flow, "Request")
    request["parameters"]["path"] = request["webhookId"] = path
    node(flow, "Wait for the result")["parameters"].update(wait)
    return flow


def caller(flow_id: str, path: str, target: str, mode: str = "once") -> dict[str, Any]:
    """A user's flow: POST a list of jobs to `path`, and it calls the flow `target` with one item per job."""
    nodes: list[dict[str, Any]] = [
        {
            "name": "Request",
            "type": "n8n-nodes-base.webhook",
            "typeVersion": 2,
            "parameters": {"httpMethod": "POST", "path": path, "responseMode": "onReceived", "options": {}},
            "webhookId": path,
        },
        {
            "name": "Jobs",
            "type": "n8n-nodes-base.code",
            "typeVersion": 2,
            "parameters": {"jsCode": "return $input.first().json.body.map((json) => ({ json }));"},
        },
        {
            "name": "Call",
            "type": "n8n-nodes-base.executeWorkflow",
            "typeVersion": 1.2,
            "parameters": {
                "workflowId": {"__rl": True, "mode": "id", "value": target},
                "mode": mode,
                "options": {"waitForSubWorkflow": True},
            },
        },
    ]
    for index, each in enumerate(nodes):
        each |= {"id": f"{flow_id}-{index}", "position": [220 * index, 0]}
    connections = {
        before["name"]: {"main": [[{"node": after["name"], "type": "main", "index": 0}]]}
        for before, after in pairwise(nodes)
    }
    return {
        "id": flow_id,
        "name": path,
        "active": False,
        "nodes": nodes,
        "connections": connections,
        "settings": {"executionOrder": "v1", "errorWorkflow": "pageworkerErr001"},
    }


def nightly(jobs: list[dict[str, Any]], at_once: int, name: str = "nightly-batch") -> dict[str, Any]:
    """The nightly batch with these jobs, and a night that begins in some seconds."""
    flow = shipped(name)
    begin = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=10)
    cron = f"{begin:%-S %-M %-H %-d %-m} *"
    node(flow, "Every night")["parameters"]["rule"] = {"interval": [{"field": "cronExpression", "expression": cron}]}
    flow["settings"]["timezone"] = "Etc/UTC"
    items = [{"json": job} for job in jobs]
    node(flow, "The jobs")["parameters"]["jsCode"] = f"return {json.dumps(items)}"
    node(flow, "20 at a time")["parameters"]["batchSize"] = at_once
    return flow
