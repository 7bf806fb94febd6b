"""A flow of a user that sends a file through a job and gets one back."""

import json
from typing import Any

from pw_n8n.node_flows import CREDENTIAL, run_and_wait
from pw_n8n.scan_site import MODULE, SITE_URL

FILE_NAME = "Schäden & Co 17.pdf"
FLOW = "nodeFiles"
PATH = "node-files"
CONNECTED = {"Request": ["Read"], "Read": ["Hash", "Run"], "Run": ["Download"], "Download": ["Hash back", "Send"]}
"""A node that hashes binary data does not pass it on."""
HASH = {"action": "hash", "type": "SHA256", "binaryData": True, "dataPropertyName": "sha256"}


def file_flow(site_url: str) -> dict[str, Any]:
    """`Read` makes binary data of a file of the site, `Run` gives it to a job, `Download` makes binary data of the
    job's artifact, `Send` gives that to the site. `Hash` and `Hash back` compute the SHA-256 of each."""
    payload = {"url": f"{SITE_URL}/form", "name": FILE_NAME}
    run = run_and_wait(
        module={"__rl": True, "mode": "name", "value": MODULE},
        payload=json.dumps(payload),
        files={"file": [{"binaryPropertyName": "data", "name": FILE_NAME}]},
    )
    download = {"resource": "artifact", "operation": "download", "jobId": "={{ $json.job_id }}", "number": 0}
    as_file = {"response": {"response": {"responseFormat": "file"}}}
    send = {"method": "POST", "url": f"{site_url}/returned", "sendBody": True, "contentType": "binaryData"}
    steps: list[tuple[str, str, float, dict[str, Any]]] = [
        ("Request", "n8n-nodes-base.webhook", 2, {"httpMethod": "POST", "path": PATH, "options": {}}),
        ("Read", "n8n-nodes-base.httpRequest", 4.2, {"url": f"{site_url}/scan", "options": as_file}),
        ("Hash", "n8n-nodes-base.crypto", 1, HASH),
        ("Run", "n8n-nodes-pageworker.pageworker", 1, run),
        ("Download", "n8n-nodes-pageworker.pageworker", 1, {**download, "binaryPropertyName": "back"}),
        ("Hash back", "n8n-nodes-base.crypto", 1, {**HASH, "binaryPropertyName": "back"}),
        ("Send", "n8n-nodes-base.httpRequest", 4.2, {**send, "inputDataFieldName": "back", "options": {}}),
    ]
    nodes: list[dict[str, Any]] = []
    for index, (name, kind, version, parameters) in enumerate(steps):
        node = {"id": f"files-{index}", "name": name, "type": kind, "typeVersion": version, "parameters": parameters}
        if "pageworker" in kind:
            node["credentials"] = {"pageworkerApi": {"id": CREDENTIAL, "name": "Pageworker API"}}
        nodes.append({**node, "webhookId": f"{PATH}-{index}" if index else PATH, "position": [200 * index, 0]})
    connections = {
        before: {"main": [[{"node": after, "type": "main", "index": 0} for after in afters]]}
        for before, afters in CONNECTED.items()
    }
    return {
        "id": FLOW,
        "name": PATH,
        "active": False,
        "nodes": nodes,
        "connections": connections,
        "settings": {"executionOrder": "v1"},
    }
