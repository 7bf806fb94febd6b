"""n8n in queue mode with two workers: executions are parked by one process and resumed by another."""

from collections import Counter
from contextlib import suppress

import httpx
import pytest
from pw_n8n.client import N8nClient
from pw_n8n.node_flows import node_flow, run_and_wait
from pw_n8n.queue_mode import HAS_DATABASE
from pw_n8n.system import System
from pw_servers.waiting import until

FLOW = "nodeQueue"
EXECUTIONS = 40

pytestmark = [pytest.mark.n8n, pytest.mark.timeout(900)]


def test_each_execution_is_resumed_while_workers_of_n8n_are_killed(system: System) -> None:
    if system.api is None:
        pytest.skip("needs pageworker-api, and the tarball of `make n8n-node`")
    if not HAS_DATABASE:
        pytest.skip("needs an empty PostgreSQL database: set DB_POSTGRESDB_HOST and the other variables of n8n")
    n8n = system.queue_n8n
    assert n8n is not None
    n8n.shell(f"n8n import:credentials --input={system.n8n.folder}/credentials.json")
    before = set(system.results_per_job())
    n8n.start()
    client = N8nClient(n8n)
    try:
        client.save(node_flow(FLOW, "node-queue", run_and_wait()))
        begun = 0
        for number in range(EXECUTIONS):
            job = {"endpoint_module": "test.nap", "payload": {"seconds": 2 + number % 10 / 10}}
            with suppress(httpx.TransportError):
                answer = httpx.post(f"{n8n.url}/webhook/node-queue", json={"items": [job]}, timeout=60)
                begun += answer.is_success
            if number in (EXECUTIONS // 3, 2 * EXECUTIONS // 3):
                until(lambda: client.count(FLOW, "waiting") > 0, "an execution waits", 60, 0.1)
                n8n.restart_worker(number % 2)
        assert begun == EXECUTIONS
        unfinished = ("new", "running", "waiting")
        until(lambda: not any(client.count(FLOW, each) for each in unfinished), "all have ended", 300, 1.0)
        succeeded = client.count(FLOW, "success")
        print(f"{begun} executions: {succeeded} succeeded; by worker: {n8n.picked_up()}")
    finally:
        client.close()
        n8n.stop()
    found = {job: count for job, count in system.results_per_job().items() if job not in before}
    assert set(Counter(found.values())) == {1}
    # n8n ends what runs on a killed worker as crashed or stalled. What waits is resumed.
    assert succeeded >= EXECUTIONS - 10
    assert all(n8n.picked_up())
