"""What a user does in n8n's editor, over the API that the editor uses: change flows, look at executions, retry them."""

import json
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
from pw_servers.waiting import until

from pw_n8n.server import OWNER, PASSWORD, N8n

UNFINISHED = ("new", "running", "waiting")
END_SECONDS = 300.0
STEP_SECONDS = 0.3
"""n8n writes the end of an execution to its database some time later, and reports no event for it."""


@dataclass(frozen=True)
class Execution:
    """One execution. `reason`: the error that turned it red. `runs`: the output items of each run, by node."""

    id: str
    status: str
    reason: str
    runs: dict[str, list[list[list[dict[str, Any]]]]]

    def items(self, node: str, output: int = 0) -> list[dict[str, Any]]:
        """What the last run of a node gave. An empty list where it did not run."""
        last = self.runs.get(node, [[]])[-1]
        return last[output] if output < len(last) else []


class N8nClient:
    """The owner of one n8n, logged in."""

    def __init__(self, n8n: N8n) -> None:
        self._client = httpx.Client(base_url=n8n.url, timeout=90)
        login = {"emailOrLdapLoginId": OWNER, "password": PASSWORD}
        self._client.post("/rest/login", json=login).raise_for_status()

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def save(self, flow: dict[str, Any]) -> None:
        """Create a flow, or change the one with the same id, and publish it."""
        path = f"/rest/workflows/{flow['id']}"
        known = self._client.get(path)
        if known.is_success:
            changed = {name: flow[name] for name in ("name", "nodes", "connections", "settings")}
            changed["versionId"] = known.json()["data"]["versionId"]
            answer = self._client.patch(path, json=changed)
        else:
            answer = self._client.post("/rest/workflows", json=flow)
        assert answer.is_success, answer.text
        version = answer.json()["data"]["versionId"]
        published = self._client.post(f"{path}/activate", json={"versionId": version})
        assert published.is_success, published.text
        for node in flow["nodes"]:
            if node["type"] == "n8n-nodes-base.webhook":
                until(partial(self._is_registered, node["parameters"]["path"]), "the webhook is there", 60.0, 0.1)

    def _is_registered(self, path: str) -> bool:
        # n8n registers webhooks asynchronously. It answers a GET on one for POST with a hint to use POST.
        return "POST" in self._client.get(f"/webhook/{path}").text

    def remove(self, flow_id: str) -> None:
        """Unpublish a flow: its triggers stop."""
        self._client.post(f"/rest/workflows/{flow_id}/deactivate").raise_for_status()

    def statuses(self, flow_id: str) -> dict[str, str]:
        """The status of each execution of a flow, by id, newest first."""
        found = self._client.get(
            "/rest/executions", params={"filter": json.dumps({"workflowId": flow_id}), "limit": 100}
        )
        return {each["id"]: each["status"] for each in found.raise_for_status().json()["data"]["results"]}

    def count(self, flow_id: str, status: str) -> int:
        """How many executions of a flow have this status, such as `waiting`."""
        only = json.dumps({"workflowId": flow_id, "status": [status]})
        found = self._client.get("/rest/executions", params={"filter": only, "limit": 1}).raise_for_status()
        count: int = found.json()["data"]["count"]
        return count

    def tested_credential(self, credential_id: str, data: dict[str, Any]) -> tuple[str, str]:
        """Status (`OK`, `Error`) and message of the test in a credential's window, with these values in its fields."""
        stored = self._client.get(f"/rest/credentials/{credential_id}").raise_for_status().json()["data"]
        tested = {"credentials": {**stored, "data": data}}
        found = self._client.post("/rest/credentials/test", json=tested).raise_for_status()
        answer = found.json()["data"]
        return answer["status"], answer["message"]

    def mapper_fields(self, flow_id: str, node: dict[str, Any]) -> list[dict[str, Any]]:
        """The fields that the editor shows for the parameter `fields` of a node."""
        asked = {
            "path": "parameters.fields",
            "nodeTypeAndVersion": {"name": node["type"], "version": node["typeVersion"]},
            "currentNodeParameters": node["parameters"],
            "credentials": node["credentials"],
            "methodName": "getModuleFields",
            "workflowId": flow_id,
        }
        found = self._client.post("/rest/dynamic-node-parameters/resource-mapper-fields", json=asked)
        fields: list[dict[str, Any]] = found.raise_for_status().json()["data"]["fields"]
        return fields

    def ended(self, flow_id: str, count: int, seconds: float = END_SECONDS) -> list[Execution]:
        """All executions of a flow, newest first, once there are `count` of them and all have ended."""

        def are_there() -> bool:
            found = self.statuses(flow_id)
            return len(found) >= count and not any(status in UNFINISHED for status in found.values())

        until(are_there, f"{count} executions of {flow_id} have ended", seconds, STEP_SECONDS)
        return [self.execution(each) for each in self.statuses(flow_id)]

    def execution(self, execution_id: str) -> Execution:
        """One execution with its data."""
        found = self._client.get(f"/rest/executions/{execution_id}").raise_for_status().json()["data"]
        data = unflatten(found["data"])["resultData"]
        runs = {
            node: [
                [[item["json"] for item in items or []] for items in (run.get("data") or {}).get("main", [])]
                for run in all_runs
            ]
            for node, all_runs in data["runData"].items()
        }
        return Execution(execution_id, found["status"], (data.get("error") or {}).get("message", ""), runs)

    def stop(self, execution_id: str) -> None:
        """The button *Stop*."""
        self._client.post(f"/rest/executions/{execution_id}/stop").raise_for_status()

    def retry(self, execution: Execution) -> None:
        """The button *Retry*."""
        self._client.post(f"/rest/executions/{execution.id}/retry", json={"loadWorkflow": False}).raise_for_status()


def unflatten(text: str) -> Any:
    """n8n stores data as the npm package `flatted` writes it: one list, with indices in place of values."""
    table: list[Any] = json.loads(text)
    known: dict[int, Any] = {}

    def value(index: int) -> Any:
        if index in known:
            return known[index]
        match table[index]:
            case dict() as flat:
                known[index] = whole = {}
                whole.update({key: inner(each) for key, each in flat.items()})
                return whole
            case list() as flat:
                return known.setdefault(index, [inner(each) for each in flat])
            case plain:
                return plain

    def inner(each: Any) -> Any:
        return value(int(each)) if isinstance(each, str) else each

    return value(0)
