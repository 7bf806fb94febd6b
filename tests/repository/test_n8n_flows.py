"""The flows in the folder n8n fit together, and to the rest of the product. `make e2e-n8n` runs them."""

import json
import re
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from repository.sources import ROOT

FOLDER = ROOT / "n8n"
FILES = sorted(FOLDER.glob("*.json"))
README = (FOLDER / "README.md").read_text()
FLOWS: dict[str, dict[str, Any]] = {file.name: json.loads(file.read_text()) for file in FILES}
IDS = {flow["id"] for flow in FLOWS.values()}


def of_type(kind: str) -> list[dict[str, Any]]:
    """The nodes of one type, in all flows."""
    return [node for flow in FLOWS.values() for node in flow["nodes"] if node["type"] == f"n8n-nodes-base.{kind}"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_connection_is_between_nodes_of_the_flow(file: Path) -> None:
    flow = FLOWS[file.name]
    names = Counter(node["name"] for node in flow["nodes"])
    ends = [end["node"] for outputs in flow["connections"].values() for ends in outputs["main"] for end in ends]
    assert set(names.values()) == {1}
    assert {*flow["connections"], *ends} == {*names}
    assert len({node["id"] for node in flow["nodes"]}) == len(flow["nodes"])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_node_that_an_expression_names_exists(file: Path) -> None:
    flow = FLOWS[file.name]
    named = re.findall(r"""\$\('([^']+)'\)|prevNode\.name === '([^']+)'""", json.dumps(flow))
    assert {first or second for first, second in named} <= {node["name"] for node in flow["nodes"]}


def test_each_flow_is_published_by_the_readme_and_has_a_page() -> None:
    (published,) = re.findall(r"for id in (.*?); do n8n publish:workflow", README, re.DOTALL)
    assert {*published.replace("\\", "").split()} == IDS
    assert len(IDS) == len(FLOWS)
    pages = "".join(page.read_text() for page in FOLDER.glob("*.md") if page.name != "README.md")
    assert [name for name in FLOWS if f"({name})" not in pages] == []
    assert [name for name in FLOWS if f"`{name}`" not in README] == []


def test_the_readme_says_which_flows_do_not_work_on_a_cluster() -> None:
    """n8n's Redis node does not follow MOVED, so a flow that reads a key fails there, and so do its callers."""

    def reads(flow: dict[str, Any]) -> bool:
        called = {
            node["parameters"]["workflowId"]["value"] for node in flow["nodes"] if "workflowId" in node["parameters"]
        }
        callees = [other for other in FLOWS.values() if other["id"] in called]
        return any(node["parameters"].get("operation") == "get" for node in flow["nodes"]) or any(map(reads, callees))

    rows = re.findall(r"^\| (`[^|]+json`) \| ([^|]+) \|", README.partition("## On a Redis Cluster")[2], re.MULTILINE)
    told = {name: works.strip() for names, works in rows for name in re.findall(r"`([^`]+)`", names)}
    # The example of a caller only calls the first one.
    assert {*told} == {*FLOWS} - {"example-caller.json"}
    assert {name for name, works in told.items() if works != "yes"} == {
        name for name, flow in FLOWS.items() if name in told and reads(flow)
    }


def test_called_flows_and_error_workflows_exist() -> None:
    called = {node["parameters"]["workflowId"]["value"] for node in of_type("executeWorkflow")}
    errors = {flow["settings"].get("errorWorkflow", flow["id"]) for flow in FLOWS.values()}
    assert called | errors <= IDS


def test_the_shipped_user_may_do_all_that_the_flows_do() -> None:
    acl = files("pageworker_supervisor.redis_client").joinpath("pageworker.acl").read_text()
    (rules,) = (set(line.split()) for line in acl.splitlines() if line.startswith("user n8n "))
    assert {f"&{node['parameters']['channels']}" for node in of_type("redisTrigger")} <= rules
    commands = {"push": "+rpush", "get": "+get"}
    nodes = of_type("redis")
    assert {commands[node["parameters"]["operation"]] for node in nodes} <= rules
    assert {node["parameters"]["list"] for node in nodes if node["parameters"]["operation"] == "push"} == {"pw:inbox"}
    assert {node["credentials"]["redis"]["name"] for node in nodes + of_type("redisTrigger")} == {"pageworker Redis"}
    # n8n asks for the type of a key otherwise, which the user may not do.
    assert {node["parameters"]["keyType"] for node in nodes if node["parameters"]["operation"] == "get"} == {"string"}


def test_jobs_are_pushed_as_json_and_wait_nodes_take_a_post() -> None:
    pushed = [node["parameters"] for node in of_type("redis") if node["parameters"]["operation"] == "push"]
    for parameters in pushed:
        assert parameters["messageData"].startswith("={{ JSON.stringify({")
        assert parameters["messageData"].endswith("}) }}")
        assert parameters["tail"] is True
    waits = [node["parameters"] for node in of_type("wait") if node["parameters"]["resume"] == "webhook"]
    assert {(wait["httpMethod"], wait["limitWaitTime"]) for wait in waits} == {("POST", True)}
