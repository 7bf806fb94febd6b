"""The shipped flows answer right while n8n, Redis or the worker is restarted under them."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest
from pw_n8n.flows import caller, nightly
from pw_n8n.system import CALL, MANY, NIGHT, System
from pw_servers.waiting import until

NAP_SECONDS = 15

pytestmark = [pytest.mark.n8n, pytest.mark.timeout(900)]


def n8n(system: System) -> None:
    system.n8n.stop()
    system.n8n.start()


def redis(system: System) -> None:
    system.redis.restart()


def worker(system: System) -> None:
    system.worker.kill()
    system.worker.start()


@pytest.mark.parametrize("restart", [n8n, redis, worker])
def test_every_flow_answers_right_across_a_restart(system: System, restart: Callable[[System], None]) -> None:
    """Slow jobs run, and executions wait for them, while it happens."""
    one, many = f"callerOne{restart.__name__}", f"callerMany{restart.__name__}"
    for flow_id, target in ((one, CALL), (many, MANY)):
        system.client.save(caller(flow_id, flow_id, target))
    slow = system.nap(NAP_SECONDS)
    jobs = [system.job("demo.echo", {"n": 1}), slow, system.trouble("captcha"), system.job("demo.echo", {"n": 2})]
    calls, nights = (len(system.client.statuses(flow)) for flow in (CALL, NIGHT))
    system.client.save(nightly(jobs[:3] + jobs[:3], 3))
    with ThreadPoolExecutor(1) as pool:
        until(lambda: system.naps() >= 1, "the night has begun", 90.0, 0.1)
        caller_by_http = pool.submit(ask, system)
        system.post(one, [slow])
        system.post(many, jobs)
        # n8n cannot continue an execution that it ends in the middle of a Code node: wait until all have pushed.
        until(lambda: waits(system, one) and waits(system, many), "executions wait", 60.0, 0.1)
        until(lambda: system.naps() >= 3, "slow jobs run", 60.0, 0.1)
        restart(system)
        answer = caller_by_http.result()
    # A caller by HTTP loses its connection where n8n restarts.
    assert (answer is None) == (restart is n8n)

    (called_one,) = system.client.ended(one, 1)
    assert [item["status"] for item in called_one.items("Call")] == ["succeeded"]
    (called_many,) = system.client.ended(many, 1)
    assert [item["status"] for item in called_many.items("Call")] == ["succeeded", "succeeded", "blocked", "succeeded"]
    assert [item["job"] for item in called_many.items("Call")] == jobs
    by_http_and_called = system.client.ended(CALL, calls + 2)[:2]
    assert [each.items("The result")[0]["status"] for each in by_http_and_called] == ["succeeded"] * 2
    night = system.client.ended(NIGHT, nights + 1)[0]
    assert night.reason.startswith("2 jobs did not succeed: 2 x blocked: captcha")
    assert len(night.items("Use the data")) == 4
    system.client.remove(NIGHT)

    system.until_listening()
    assert system.heard(f"after-{restart.__name__}")["notification"]["kind"] == "captcha"
    assert set(Counter(system.results_per_job().values())) == {1}


def waits(system: System, flow: str) -> bool:
    return [*system.client.statuses(flow).values()] == ["waiting"]


def ask(system: System) -> object:
    """What a caller by HTTP gets; None if its connection is lost."""
    with suppress(httpx.TransportError):
        return system.post("pageworker-call", system.nap(NAP_SECONDS)).json()
    return None
