"""Pushing and collecting over a real Redis. A fake worker answers every job as the scenario expects it."""

import asyncio
import hashlib
import hmac
import io
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pw_servers.standalone import RedisServer, redis_server
from redis.asyncio import Redis
from rich.console import Console

from pageworker_demo.callback_receiver import DemoReceiver
from pageworker_demo.loopback_server import served
from pageworker_demo.queue_client import DEAD, INBOX, RESULTS, DemoQueueClient
from pageworker_demo.run import plain_redis
from pageworker_demo.scenario import ScenarioJob, scenario
from pageworker_demo.scenario_runner import ScenarioRunner
from pageworker_demo.terminal import DemoTerminal
from pageworker_supervisor.contract.job import JobRef

SECRET = b"secret"
Result = dict[str, Any]


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


class ExpectedAnswers:
    """A fake worker that answers every job as expected, except for what `change` does to a result."""

    def __init__(self, redis: Redis, jobs: list[ScenarioJob], folder: Path, change: Callable[[Result], Result]) -> None:
        self._redis = redis
        self._jobs = {job.ref: job for job in jobs}
        self._folder = folder
        self._change = change
        self._seen: set[JobRef] = set()

    async def run(self) -> None:
        async with httpx.AsyncClient() as client:
            while True:
                # Any: redis-py types a reply as a union of all protocols' shapes.
                popped: Any = await self._redis.brpop([INBOX])
                text = popped[1]
                if text == b"[object Object]":
                    await self._redis.xadd(DEAD, {"job": text})
                    continue
                fields = json.loads(text)
                ref = JobRef(fields["tenant_id"], fields["job_id"])
                if ref not in self._seen:
                    self._seen.add(ref)
                    await self._answer(client, self._jobs[ref])

    async def _answer(self, client: httpx.AsyncClient, job: ScenarioJob) -> None:
        expected, fields = job.expected, job.fields
        answer = self._change(
            {
                "job_id": job.ref.job_id,
                "tenant_id": fields["tenant_id"],
                "endpoint_module": fields["endpoint_module"],
                "status": expected.status,
                "data": expected.data,
                "error": {"type": expected.error_type, "message": ""} if expected.error_type else None,
                "blocker": {"kind": expected.blocker} if expected.blocker else None,
                "artifacts": [self._artifact(kind) for kind in sorted(expected.artifacts)],
                "attempts": [{}] * (expected.attempts or 1),
                "meta": fields.get("meta", {}),
                "worker_id": "w",
                "runner_id": "w.1",
                "timing": {"queued": 0.001, "admitted": 0.002, "ran": 1.5, "total": 1.503},
            }
        )
        body = json.dumps(answer).encode()
        await self._redis.set(f"pw:result:{job.ref.colon_form}", body)
        await self._redis.xadd(RESULTS, {"result": body})
        if "callback_url" in fields and expected.status != "rejected":
            for _ in range(2):
                stamp = str(int(time.time()))
                digest = hmac.new(SECRET, f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
                headers = {"Pageworker-Signature": f"t={stamp},v1={digest}"}
                if (await client.post(fields["callback_url"], content=body, headers=headers)).is_success:
                    break

    def _artifact(self, kind: str) -> dict[str, Any]:
        file = self._folder / kind
        file.write_bytes(kind.encode())
        digest = hashlib.sha256(kind.encode()).hexdigest()
        return {"kind": kind, "url": file.as_uri(), "sha256": digest, "bytes": len(kind), "content_type": "x/y"}


@pytest.fixture
async def run_scenario(server: RedisServer, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    receiver = DemoReceiver(SECRET)
    async with served(receiver.app) as port, plain_redis(server.port) as redis, plain_redis(server.port) as other:
        jobs = scenario(f"http://127.0.0.1:{port}")

        async def run(change: Callable[[Result], Result] = lambda answer: answer) -> tuple[list[str], str]:
            output = io.StringIO()
            console = Console(file=output, width=160)
            runner = ScenarioRunner(DemoQueueClient(redis), jobs, receiver, DemoTerminal(console))
            async with asyncio.TaskGroup() as tasks:
                worker = tasks.create_task(ExpectedAnswers(other, jobs, tmp_path, change).run())
                found = await runner.run()
                worker.cancel()
            runner.terminal.table(jobs, runner.results)
            runner.terminal.artifacts(runner.results)
            return found, output.getvalue()

        yield run


async def test_results_as_expected_give_no_problem(run_scenario: Callable[..., Any]) -> None:
    found, shown = await run_scenario()
    assert found == []
    assert "globex/failing" in shown
    assert "html, screenshot" in shown


async def test_an_artifact_that_differs_from_its_sha256_is_reported(run_scenario: Callable[..., Any]) -> None:
    def forge(answer: Result) -> Result:
        for artifact in answer["artifacts"]:
            artifact["sha256"] = "0" * 64
        return answer

    found, _ = await run_scenario(forge)
    assert found == [
        "globex/failing: artifact html differs from its sha256",
        "globex/failing: artifact screenshot differs from its sha256",
    ]


async def test_a_session_that_is_lost_is_reported(run_scenario: Callable[..., Any]) -> None:
    def forget(answer: Result) -> Result:
        if "logged_in_before" in answer["data"]:
            return {**answer, "data": {**answer["data"], "logged_in_before": False}}
        return answer

    found, _ = await run_scenario(forget)
    assert len(found) == 3
    assert all("logged_in_before" in problem for problem in found)
