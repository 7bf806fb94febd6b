"""Flows of a user around the n8n node."""

from typing import Any

CREDENTIAL = "pageworkerApi001"
NODE = "Pageworker"
ENDS = ("Succeeded", "Blocked", "Failed")
"""What stands behind the outputs of the node, in their order."""


def node_flow(flow_id: str, path: str, parameters: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """A webhook gives the node one item per job of the body's `items`. `settings`: of the node, such as `onError`."""
    nodes = [
        _node("Request", "n8n-nodes-base.webhook", 2, {"httpMethod": "POST", "path": path, "options": {}}),
        _node("Items", "n8n-nodes-base.splitOut", 1, {"fieldToSplitOut": "body.items", "options": {}}),
        {
            **_node(NODE, "n8n-nodes-pageworker.pageworker", 1, parameters),
            "credentials": {"pageworkerApi": {"id": CREDENTIAL, "name": "Pageworker API"}},
            **settings,
        },
        *(_node(end, "n8n-nodes-base.noOp", 1, {}) for end in ENDS),
    ]
    nodes[0]["webhookId"] = path
    nodes[2]["webhookId"] = f"{path}-resume"
    connections = {
        "Request": {"main": [[_end("Items")]]},
        "Items": {"main": [[_end(NODE)]]},
        NODE: {"main": [[_end(end)] for end in ENDS]},
    }
    return {
        "id": flow_id,
        "name": path,
        "active": False,
        "nodes": [{**each, "position": [200 * index, 0]} for index, each in enumerate(nodes)],
        "connections": connections,
        "settings": {"executionOrder": "v1"},
    }


def run_and_wait(**parameters: Any) -> dict[str, Any]:
    """The node runs the job that an item describes by `endpoint_module` and `payload`."""
    return {
        "resource": "job",
        "jobFrom": "parameters",
        "operation": "runAndWait",
        "module": {"__rl": True, "mode": "name", "value": "={{ $json.endpoint_module }}"},
        "payloadFrom": "json",
        "payload": "={{ JSON.stringify($json.payload) }}",
        **parameters,
    }


def _node(name: str, kind: str, version: float, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"id": name.lower(), "name": name, "type": kind, "typeVersion": version, "parameters": parameters}


def _end(name: str) -> dict[str, Any]:
    return {"node": name, "type": "main", "index": 0}
