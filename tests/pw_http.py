"""The real endpoints around a worker that does nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from pw_servers.no_tls import NO_TLS

from pageworker_supervisor.admin.errors import WorkerRefused
from pageworker_supervisor.admin.server import Endpoints, HttpBounds
from pageworker_supervisor.admin.status import (
    Cancelled,
    DrainLine,
    RedisReport,
    RunnerReport,
    StatusReport,
)
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.worker_report import ReportedState
from pageworker_supervisor.telemetry.metrics import Metrics


class FakeWorker:
    """A worker with two jobs that end when they are told to."""

    def __init__(self) -> None:
        self.state: ReportedState = "ready"
        self.ended = asyncio.Event()
        self.done = asyncio.Event()
        self.drained_with: list[float | None] = []
        self.left_early = False
        self.probes = 0

    def status(self) -> StatusReport:
        return StatusReport(
            state=self.state,
            reason="" if self.state == "ready" else "an operator asked",
            worker_id="w1",
            version="0.1.0",
            uptime_seconds=1.0,
            redis=RedisReport(connected=True, url="redis://:(hidden)@h"),
            runners=(RunnerReport(runner_id="r1", tenant_id="t", profile_id=None, state="ready", pages={"IDLE": 4}),),
        )

    async def refresh_readiness(self) -> None:
        self.probes += 1

    def ready(self) -> tuple[bool, str]:
        return self.state == "ready", self.status().reason

    async def drain(self, deadline_seconds: float | None, *, cancel: bool = False) -> AsyncIterator[DrainLine]:
        if self.state == "starting":
            raise WorkerRefused("the worker is not up yet")
        self.drained_with.append(deadline_seconds)
        self.state = "draining"
        try:
            yield DrainLine(event="waiting", job_id="j1", tenant_id="t")
            yield DrainLine(event="waiting", job_id="j2", tenant_id="t")
            await self.ended.wait()
            yield DrainLine(event="done", left=0)
            self.done.set()
        except (asyncio.CancelledError, GeneratorExit):
            self.left_early = True
            raise

    async def undrain(self) -> None:
        if self.state == "stopped":
            raise WorkerRefused("the worker is stopping")
        self.state = "ready"

    async def cancel(self, ref: JobRef) -> Cancelled:
        known = ref == JobRef("t", "j1")
        return Cancelled(ref.job_id, ref.tenant_id, "cancelling" if known else "unknown", known)


@asynccontextmanager
async def running(
    worker: FakeWorker, data_dir: Path, bounds: HttpBounds | None = None, metrics: Metrics | None = None
) -> AsyncIterator[Endpoints]:
    """Both servers for the block."""
    endpoints = Endpoints.open("127.0.0.1:0", data_dir, worker, metrics or Metrics(version="0.1.0"), bounds)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(endpoints.run())
        await get(endpoints, "/healthz")
        yield endpoints
        serving.cancel()


async def get(endpoints: Endpoints, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    """One request to the operator's endpoints."""
    async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as client:
        return await client.request(method, f"http://127.0.0.1:{endpoints.address[1]}{path}", headers=headers)
