"""How long the first result takes: from the start of an n8n that has never run, by the README of the node."""

import time

import httpx
import pytest
from pw_n8n.client import N8nClient
from pw_n8n.node_flows import node_flow, run_and_wait
from pw_n8n.server import N8n
from pw_n8n.system import System

MOST_SECONDS = 60.0

pytestmark = [pytest.mark.n8n, pytest.mark.timeout(900)]


def test_the_first_result_of_a_fresh_n8n_comes_within_a_minute(system: System) -> None:
    fresh = system.queue_n8n
    if system.api is None or fresh is None:
        pytest.skip("needs pageworker-api, and the tarball of `make n8n-node`")
    # It has the node and its credential, and no workflow.
    n8n = N8n(fresh.folder, fresh.port, fresh.broker_port, fresh.key)
    n8n.shell(f"n8n import:credentials --input={system.n8n.folder}/credentials.json")
    began = time.monotonic()
    n8n.start()
    try:
        answers = time.monotonic() - began
        client = N8nClient(n8n)
        client.save(node_flow("nodeFirst", "node-first", run_and_wait()))
        job = {"endpoint_module": "demo.echo", "payload": {"n": 1}}
        httpx.post(f"{n8n.url}/webhook/node-first", json={"items": [job]}, timeout=60).raise_for_status()
        (execution,) = client.ended("nodeFirst", 1)
        seconds = time.monotonic() - began
        client.close()
    finally:
        n8n.stop()
    print(f"n8n answers after {answers:.1f} s, the first result is there after {seconds:.1f} s")
    (result,) = execution.items("Succeeded")
    assert (execution.status, result["data"]) == ("success", {"n": 1})
    assert seconds <= MOST_SECONDS
