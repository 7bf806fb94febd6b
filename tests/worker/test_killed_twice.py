"""A job whose worker is killed twice: its timeline tells every life. The workers are processes, with echo runners."""

import asyncio
import json
import signal
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from chaos.run import ECHO_MODULE
from chaos.runner_kinds import ECHO
from chaos.worker_pool import running_workers
from pw_doubles import any_typed
from pw_queue import plain_client
from pw_receiver import receiver
from pw_servers import redis_server

from pageworker_demo.workspace import publish
from pageworker_supervisor.cli.timeline import completed
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.job_history import HistoryLine
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.options import QueueOptions
from pageworker_supervisor.redis_client import Router

pytestmark = [pytest.mark.redis, pytest.mark.timeout(120)]

QUICK = replace(ECHO, lease_ms=1000)
REF = JobRef("t0", "17")
LIFE = ("claim", "begin", "reap", "come_due")


async def history(queue: QueueClient, holds: Callable[[list[HistoryLine]], bool]) -> list[HistoryLine]:
    """The job's lines once this holds."""
    async with asyncio.timeout(60):
        while True:
            details = await queue.inspection.details(REF)
            lines = completed(details) if details is not None else []
            if holds(lines):
                return lines
            await asyncio.sleep(0.05)  # nothing tells when a record changes


def begun(times: int) -> Callable[[list[HistoryLine]], bool]:
    return lambda lines: [line.event for line in lines].count("begin") == times


async def test_a_job_that_was_killed_twice_and_moved_has_a_complete_timeline(tmp_path: Path) -> None:
    key, _ = await publish([ECHO_MODULE], tmp_path / "registry")
    with redis_server() as server:
        client = plain_client(server.port)
        queue = QueueClient(Router(client, client), options=QueueOptions(lease_ms=QUICK.lease_ms))
        deployment = any_typed(SimpleNamespace(worker_settings={"url": server.url}, shards=1, nodes=[server]))
        async with (
            aclosing(client),
            receiver() as hook,
            running_workers(deployment, tmp_path, 3, key, QUICK) as workers,
        ):
            job = {
                "job_id": REF.job_id,
                "tenant_id": REF.tenant_id,
                "endpoint_module": "chaos.echo",
                "payload": {"do": "echo", "ms": 1500},
                "callback_url": hook.url("/ok"),
            }
            await client.rpush("pw:inbox", json.dumps(job))
            killed: list[str] = []
            for life in (1, 2):
                lines = await history(queue, begun(life))
                killed.append(lines[-1].facts["worker"])
                (worker,) = (each for each in workers if killed[-1].startswith(f"{each.name}."))
                await worker.end(signal.SIGKILL)
            lines = await history(queue, lambda found: bool(found) and found[-1].event == "callback_delivered")
    assert [line.event for line in lines] == ["enqueue", *LIFE, *LIFE, "claim", "begin", "finish", "callback_delivered"]
    begins = [line.facts for line in lines if line.event == "begin"]
    reaps = [line.facts for line in lines if line.event == "reap"]
    assert [facts["worker"] for facts in begins[:2]] == killed
    assert len({facts["worker"] for facts in begins}) == 3, "each life on a worker of its own"
    assert len({facts["token"] for facts in begins}) == 3
    assert reaps == begins[:2], "what a killed worker used is known"
    for number, facts in enumerate(begins, 1):
        used = facts["used"]
        assert (used["attempt"], used["module"], used["config_version"]) == (number, "chaos.echo", 0)
        assert used["runner_id"].startswith(facts["worker"].partition(".")[0])
        assert len(used["module_digest"]) == 64
        assert len(used["trace_id"]) == 32
    assert begins[2]["used"]["outcome"] == "succeeded"
    assert lines[-1].facts["status"] == 200
