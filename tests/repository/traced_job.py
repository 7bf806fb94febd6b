"""One real job through a real worker: the files that it passes and the types that carry it.

Traced are the supervisor and the runner, each by `sys.setprofile`. The egress gateway is not: it serves connections
and learns of no job. Neither are Redis's functions and the receiver of a callback.
"""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pw_servers import RedisServer, redis_server
from redis.asyncio import Redis

from pageworker_demo.loopback_server import free_port
from pageworker_demo.queue_client import DemoQueueClient
from pageworker_demo.run import temporary_folder
from pageworker_demo.workspace import Workspace, publish
from pageworker_sandbox.wire.messages import Done
from repository.sources import ROOT

MODULE = Path(__file__).parent / "modules" / "traced"
SHELL = "/usr/lib/chromium/chromium-headless-shell"
JOBS = 5
WARM_UP = 3
PAUSE_SECONDS = 1.0
"""After each job: its page is clean again, so that the next job's record holds nothing of it."""
START_SECONDS = 60.0
STOP_SECONDS = 30.0
RUNNER_ANSWER = f"{Done.__module__}.{Done.__qualname__}"
"""The runner's part ends with it: the page is recycled after the job."""


@dataclass(frozen=True)
class JobTrace:
    """What every traced job had in common. Files are named from their zone on, types with their module."""

    supervisor_files: frozenset[str]
    runner_files: frozenset[str]
    supervisor_types: frozenset[str]
    runner_types: frozenset[str]

    @property
    def files(self) -> frozenset[str]:
        """Of both processes."""
        return self.supervisor_files | self.runner_files

    @property
    def types(self) -> frozenset[str]:
        """Of both processes."""
        return self.supervisor_types | self.runner_types


def traced() -> JobTrace:
    """Run the jobs. Takes about 15 s."""
    with redis_server() as server, temporary_folder() as folder:
        return asyncio.run(_trace(server, folder))


Windows = list[tuple[float, float]]


async def _trace(server: RedisServer, folder: Path) -> JobTrace:
    workspace = Workspace(folder, http_port=free_port(), redis_port=0)
    key, _ = await publish([MODULE], workspace.registry)
    workspace.configure(
        {
            "redis": {"url": server.url},
            "pool": {"runners": 1, "pages": 2, "max_jobs": 1000},
            "browser": {"executable": SHELL},
            "modules": {"registry": str(workspace.registry), "trusted_keys": [key]},
        }
    )
    record = folder / "supervisor.json"
    redis = Redis.from_url(server.url, socket_timeout=10)
    async with contextlib.aclosing(redis), _daemon(workspace, record) as windows_of_daemon:
        producer = TracedProducer(DemoQueueClient(redis))
        for number in range(WARM_UP):
            await producer.run(f"warm-up-{number}", {"do": "work"})
        await producer.run("start", {"do": "start"})
        busy = [await producer.run(f"traced-job-{number}", {"do": "work"}) for number in range(JOBS)]
        # As long as the job, in the middle of the pause after it.
        idle = [(end + PAUSE_SECONDS / 2, end + PAUSE_SECONDS / 2 + end - begin) for begin, end in busy]
        windows = [*busy, *idle]
        windows_of_daemon.write_text(json.dumps(windows))
        await producer.run("report", {"do": "report", "windows": windows})
        inside = producer.last
    outside = json.loads(record.read_text())
    stored = [end for _, end in busy]
    answered = _first_seen(inside["carriers"], RUNNER_ANSWER)
    return JobTrace(
        _files(outside["functions"], stored),
        _files(inside["functions"], answered),
        _types(outside["carriers"], stored),
        _types(inside["carriers"], stored),
    )


class TracedProducer:
    """Pushes one job at a time."""

    def __init__(self, queue: DemoQueueClient) -> None:
        self._queue = queue
        self._results = queue.results()
        self.last: dict[str, Any] = {}
        """The data of the last result."""

    async def run(self, job_id: str, payload: dict[str, Any]) -> tuple[float, float]:
        """The times of the push and of the stored result, on `time.monotonic()`."""
        job = {"job_id": job_id, "tenant_id": "acme", "endpoint_module": "repository.traced", "payload": payload}
        begin = time.monotonic()
        await self._queue.push(json.dumps(job))
        answer = await anext(self._results)
        end = time.monotonic()
        if answer["status"] != "succeeded":
            raise RuntimeError(f"the traced job failed: {answer['error']}")
        self.last = answer["data"]
        await asyncio.sleep(PAUSE_SECONDS)
        return begin, end


@contextlib.asynccontextmanager
async def _daemon(workspace: Workspace, record: Path) -> AsyncIterator[Path]:
    """The daemon under trace. Yields the file that tells it which windows to report when it ends."""
    windows = record.with_suffix(".windows")
    windows.write_text("[]")
    path = os.pathsep.join(str(ROOT / name) for name in ("supervisor", "runner", "sandbox", "profiles", "tests"))
    with workspace.log_file.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "repository.tracing_daemon", str(record), "--config", str(workspace.config_file)),
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": path},
        )
    try:
        async with asyncio.timeout(START_SECONDS), httpx.AsyncClient() as client:
            while not await _ready(client, workspace.http_port):
                if process.returncode is not None:
                    raise RuntimeError(f"the daemon ended:\n{workspace.log_file.read_text()[-3000:]}")
                # Another process's readiness is no event that could be waited for.
                await asyncio.sleep(0.1)
        yield windows
        process.terminate()
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _ready(client: httpx.AsyncClient, port: int) -> bool:
    try:
        return (await client.get(f"http://127.0.0.1:{port}/readyz")).is_success
    except httpx.TransportError:
        return False


Carriers = Iterable[tuple[str, str, float]]
"""Type, job id, when it was first seen."""


def _files(functions: Sequence[Mapping[str, float]], ends: Sequence[float]) -> frozenset[str]:
    """Files with a function that each job enters before its end. Not those that an idle worker enters as often."""
    busy, idle = functions[:JOBS], functions[JOBS:]
    entered = [{name for name, when in found.items() if when <= end} for found, end in zip(busy, ends, strict=True)]
    usual = {name for found in idle for name in found if sum(name in other for other in idle) > JOBS / 2}
    return frozenset(name.partition(":")[0] for name in entered[0].intersection(*entered) - usual)


def _types(carriers: Carriers, ends: Sequence[float]) -> frozenset[str]:
    """Types that every job was carried by before its result was stored."""
    found: dict[str, set[str]] = {}
    for name, job, when in carriers:
        if when <= ends[_number(job)]:
            found.setdefault(name, set()).add(job)
    return frozenset(name for name, jobs in found.items() if len(jobs) == JOBS)


def _first_seen(carriers: Carriers, kind: str) -> list[float]:
    """For each job, when this type was first seen with it."""
    found = {_number(job): when for name, job, when in carriers if name == kind}
    return [found[number] for number in range(JOBS)]


def _number(job_id: str) -> int:
    return int(job_id.rpartition("-")[2])
