"""Executions wait for their jobs while n8n, Redis, the API and the worker are killed.

`--n8n-executions 500 --n8n-kills 5` is the long run.
"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import httpx
import pytest
from pw_n8n.node_flows import node_flow, run_and_wait
from pw_n8n.system import System
from pw_servers.waiting import until

FLOW = "nodeKills"
SETTLE_SECONDS = 600.0
"""A job of a killed worker runs again after 45 s. A callback is repeated with pauses that grow."""

pytestmark = [pytest.mark.n8n, pytest.mark.timeout(7200)]


def test_each_waiting_execution_is_resumed_and_each_accepted_job_has_one_result(
    system: System, pytestconfig: pytest.Config
) -> None:
    if system.api is None:
        pytest.skip("needs pageworker-api, and the tarball of `make n8n-node`")
    executions = pytestconfig.getoption("n8n_executions")
    kills = pytestconfig.getoption("n8n_kills")
    system.client.save(node_flow(FLOW, "node-kills", run_and_wait()))
    before = set(system.results_per_job())
    api, token = system.api, system.api.token("acme")
    faults: list[tuple[Callable[[], object], Callable[[], object]]] = [
        (system.n8n.kill, system.n8n.start),
        (system.redis.kill, system.redis.start),
        (api.kill, api.start),
        (system.worker.kill, system.worker.start),
    ]
    share = max(1, executions // (kills * len(faults)))
    begun: list[Future[bool]] = []
    with ThreadPoolExecutor(4) as pool:
        for _ in range(kills):
            for kill, start in faults:
                # Each fault meets executions that submit, that wait, and that resume.
                begun += [pool.submit(begin, system, len(begun) + number) for number in range(share)]
                begun[-share].result()
                kill()
                start()
    assert all(each.result() for each in begun)

    until(lambda: system.client.count(FLOW, "waiting") == 0, "no execution waits", SETTLE_SECONDS, 1.0)
    until(lambda: api.jobs_without_result(token) == 0, "each accepted job has a result", SETTLE_SECONDS, 1.0)
    found = {job: count for job, count in system.results_per_job().items() if job not in before}
    assert set(Counter(found.values())) == {1}
    succeeded, red, crashed = (system.client.count(FLOW, status) for status in ("success", "error", "crashed"))
    print(f"{len(begun)} executions: {succeeded} succeeded, {red} red, {crashed} ended by kills, {len(found)} jobs")
    # An execution that runs, and does not wait, ends with its n8n. A job whose execution has ended so still runs.
    assert len(begun) / 2 <= succeeded <= len(found)


def begin(system: System, number: int) -> bool:
    """Begin one execution; again if n8n was not there to begin it."""
    job = {"endpoint_module": "test.nap", "payload": {"seconds": number % 10 / 10}}
    for _ in range(600):
        with suppress(httpx.TransportError):
            answer = system.post("node-kills", {"items": [job]}, timeout=30)
            if answer.is_success:
                return True
        until(partial(answers, system), "n8n answers", 300, 0.2)
    return False


def answers(system: System) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{system.n8n.url}/healthz/readiness", timeout=10).is_success
    return False
