"""The flows with the n8n node fit together, and to the node. `make e2e-n8n` runs them."""

import json
import re

import pytest

from repository.sources import ROOT

FLOWS = {file.name: json.loads(file.read_text()) for file in sorted((ROOT / "n8n/node-flows").glob("*.json"))}
FLOWS_README = (ROOT / "n8n/node-flows/README.md").read_text()


@pytest.mark.parametrize("name", FLOWS)
def test_each_connection_of_a_flow_with_the_node_is_between_its_nodes(name: str) -> None:
    flow = FLOWS[name]
    names = [node["name"] for node in flow["nodes"]]
    ends = [end["node"] for outputs in flow["connections"].values() for ends in outputs["main"] for end in ends]
    named = re.findall(r"""\$\('([^']+)'\)|prevNode\.name === '([^']+)'""", json.dumps(flow))
    assert len({*names}) == len(names)
    assert {*flow["connections"], *ends} == {*names}
    assert {first or second for first, second in named} <= {*names}


def test_the_flows_with_the_node_are_described_and_published() -> None:
    (published,) = re.findall(r"for id in (.*?); do n8n publish:workflow", FLOWS_README)
    assert {*published.split()} == {flow["id"] for flow in FLOWS.values()}
    assert [name for name in FLOWS if f"| `{name}` |" not in FLOWS_README] == []


def test_the_flows_use_the_node_as_its_readme_says() -> None:
    """Parameters of the node have the names and values that it declares."""
    nodes = ROOT / "n8n/n8n-nodes-pageworker/nodes"
    of_jobs = (nodes / "Pageworker/fields/jobFields.ts").read_text()
    of_trigger = (nodes / "PageworkerTrigger/fields.ts").read_text()
    for flow in FLOWS.values():
        (node,) = [node for node in flow["nodes"] if node["type"].startswith("n8n-nodes-pageworker.pageworker")]
        parameters = node["parameters"]
        fields = of_trigger if node["type"].endswith("Trigger") else of_jobs
        assert [name for name in parameters if name != "resource" and f"name: '{name}'" not in fields] == []
        chosen = [parameters[name] for name in ("operation", "jobFrom", "onFailure") if name in parameters]
        chosen += parameters.get("events", [])
        assert [value for value in chosen if f"value: '{value}'" not in fields] == []
        assert node["credentials"]["pageworkerApi"]["name"] == "Pageworker API"
