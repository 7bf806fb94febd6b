"""Healthy tenants on one worker, under load: what another tenant beside them costs them."""

import asyncio
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.process_tree import cpu_seconds_of
from bench.visit import READ_FIELDS
from bench.worker import Bench
from pageworker_demo.workspace import Workspace

HEALTHY = ("healthy-1", "healthy-2", "healthy-3")
JOBS = 20
"""Jobs of each healthy tenant per window, one at a time."""
SAMPLE_SECONDS = 0.2

JobFuture = asyncio.Future[Mapping[str, Any]]


@dataclass
class Neighbours:
    """Their jobs, and those of the tenant beside them. `folder`: of the site's page."""

    workspace: Workspace
    bench: Bench
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    _awaited: dict[str, JobFuture] = field(default_factory=dict)

    async def read(self) -> None:
        """Set each result on the future of its job. Never ends by itself."""
        async for answer in self.bench.queue.results():
            self._awaited.pop(answer["job_id"]).set_result(answer)

    async def push(self, tenant: str, profile: str | None = None) -> JobFuture:
        """Push a job that visits a page. Returns the future of its result."""
        number = next(self.numbers)
        job = {
            "job_id": str(number),
            "tenant_id": tenant,
            "profile_id": profile,
            "endpoint_module": "bench.visit",
            "payload": {"url": f"http://site.example/p/{number}", "read": READ_FIELDS},
            "max_retries": 1,
        }
        answer = self._awaited[str(number)] = asyncio.get_running_loop().create_future()
        await self.bench.queue.push(json.dumps(job))
        return answer

    async def healthy_jobs(self) -> None:
        """The jobs of one window: one per healthy tenant at a time."""
        await asyncio.gather(*(self._one_at_a_time(tenant) for tenant in HEALTHY))

    async def _one_at_a_time(self, tenant: str) -> None:
        for _ in range(JOBS):
            answer = await (await self.push(tenant))
            if answer["status"] != "succeeded":
                raise RuntimeError(f"a healthy tenant's job: {answer}")


@dataclass
class HealthyCpu:
    """CPU seconds of the runners that serve the healthy tenants' ephemeral contexts, replaced runners included."""

    bench: Bench
    _first: dict[str, float] | None = None
    _last: dict[str, float] = field(default_factory=dict)

    async def sample(self) -> None:
        """Record the CPU seconds of each runner so far."""
        runners = (await self.bench.daemon.status())["runners"]
        pids = {
            r["runner_id"]: r["pid"] for r in runners if r["tenant_id"] in HEALTHY and not r["profile_id"] and r["pid"]
        }
        spent = cpu_seconds_of(pids.values())
        self._last |= {name: spent[pid] for name, pid in pids.items() if pid in spent}
        if self._first is None:
            self._first = dict(self._last)

    async def watch(self) -> None:
        """Sample until cancelled: the CPU time of a runner cannot be read after its end."""
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            await self.sample()

    def ms_per_job(self) -> float:
        """CPU milliseconds per job of a window."""
        return 1000 * self.seconds() / (JOBS * len(HEALTHY))

    def seconds(self) -> float:
        """CPU seconds since the first sample."""
        first = self._first or {}
        return sum(spent - first.get(name, 0.0) for name, spent in self._last.items())
