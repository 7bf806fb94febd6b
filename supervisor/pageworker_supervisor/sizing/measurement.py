"""Measures memory and CPU of one runner, first with one busy page and then with all pages busy."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from pageworker_sandbox.launch import procfs
from pageworker_sandbox.signing import PackedBundle, read_bundle
from pageworker_sandbox.signing.bundle import write_bundle
from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.local_worker import LocalWorker
from pageworker_supervisor.runners.runner import Runner
from pageworker_supervisor.sizing.capacity import busy_cpu_seconds
from pageworker_supervisor.sizing.recommendation import Measurement

NAME = "pageworker.size"
TENANT = "size"
HOST = "size.test"
"""Under this name runners reach the measured page."""
MANIFEST = f"""\
name = "{NAME}"
version = "1.0.0"
entrypoint = "pageworker_size:handler"
sdk = ">=1,<2"
egress = ["*"]
"""
CODE = b"""\
async def handler(page, payload, helpers, context):
    await page.goto(payload["url"])
    return await helpers.extract({"title": "title", "heading": "h1"})
"""
SAMPLE_SECONDS = 0.25
WARM_UP_JOBS = 2
"""Per page, before the measurement: the first ones load the module, and fill caches of the browser."""


class MeasurementFailed(Exception):
    """A job of the measurement did not succeed."""


@dataclass(frozen=True)
class PartUsage:
    """What jobs used while they ran for some seconds. `peak_bytes`: of the runner."""

    jobs: int
    seconds: float
    cpu_seconds: float
    other_cpu_seconds: float
    peak_bytes: int


def sizing_module() -> PackedBundle:
    """The module whose jobs are measured: it opens a page and reads two texts."""
    return read_bundle(write_bundle(MANIFEST, {"type": "object"}, {"pageworker_size/__init__.py": CODE}))


@asynccontextmanager
async def sizing_site() -> AsyncIterator[tuple[int, int]]:
    """Serve the page of site.py from a process of its own, whose CPU time does not count. Yields its pid and port."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pageworker_supervisor.sizing.site"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        line = await process.stdout.readline() if process.stdout is not None else b""
        if not line:
            raise MeasurementFailed("the page to be measured could not be served")
        yield process.pid, int(line)
    finally:
        process.kill()
        await process.wait()


class PageMeasurement:
    """Measures with a local worker that has one runner with `pages` pages. `site`: pid of the site's process."""

    def __init__(self, worker: LocalWorker, url: str, pages: int, site: int | None) -> None:
        self._worker = worker
        self._url = url
        self._pages = pages
        self._site = site
        self._number = 0

    async def run(self, seconds: float) -> Measurement:
        """Both parts, `seconds` each. Raises MeasurementFailed, LocalRunFailed."""
        await self._worker.publish(sizing_module())
        async with TaskGroup() as tasks:
            for _ in range(self._pages):
                tasks.create_task(self._repeat(jobs=WARM_UP_JOBS))
        one = await self._use(1, seconds)
        all_pages = await self._use(self._pages, seconds)
        page_bytes = max(0, all_pages.peak_bytes - one.peak_bytes) // max(1, self._pages - 1)
        return Measurement(
            pages=self._pages,
            seconds=seconds,
            jobs=all_pages.jobs,
            job_seconds=one.seconds / one.jobs,
            cpu_seconds_per_job=all_pages.cpu_seconds / all_pages.jobs,
            runner_bytes=max(0, one.peak_bytes - page_bytes),
            page_bytes=page_bytes,
            worker_bytes=sum(map(procfs.pss_bytes, self._processes(runner=False))),
            other_cpus=(one.other_cpu_seconds + all_pages.other_cpu_seconds) / (one.seconds + all_pages.seconds),
        )

    async def _use(self, pages: int, seconds: float) -> PartUsage:
        until = time.monotonic() + seconds
        cpu, other_cpu, since = self._cpu_seconds(), _other_cpu_seconds(), time.monotonic()
        async with TaskGroup() as tasks:
            sampling = tasks.create_task(self._peak_bytes())
            async with TaskGroup() as jobs:
                repeating = [jobs.create_task(self._repeat(until=until)) for _ in range(pages)]
            sampling.cancel()
        took = time.monotonic() - since
        done = sum(task.result() for task in repeating)
        return PartUsage(done, took, self._cpu_seconds() - cpu, max(0.0, _other_cpu_seconds() - other_cpu), self._peak)

    async def _repeat(self, *, jobs: int | None = None, until: float = 0.0) -> int:
        """Run jobs one after the other: `jobs` of them, or until the time `until`; at least one. Returns how many."""
        done = 0
        while not done or (time.monotonic() < until if jobs is None else done < jobs):
            self._number += 1
            job = {
                "job_id": f"size-{self._number}",
                "tenant_id": TENANT,
                "endpoint_module": NAME,
                "payload": {"url": self._url},
                "max_retries": 0,
            }
            result = msgspec.json.decode(await self._worker.run(msgspec.json.encode(job)))
            if result["status"] != "succeeded":
                why = (result["error"] or result["blocker"] or {}).get("message", "")
                raise MeasurementFailed(f"a job of the measurement ended as {result['status']}: {why}")
            done += 1
        return done

    async def _peak_bytes(self) -> None:
        self._peak = 0
        while True:
            if (process := self._runner().process) is not None:
                self._peak = max(self._peak, await process.memory_bytes())
            await asyncio.sleep(SAMPLE_SECONDS)

    def _runner(self) -> Runner:
        (runner,) = self._worker.fleet.runners.values()
        return runner

    def _cpu_seconds(self) -> float:
        return sum(map(procfs.cpu_seconds, self._processes(runner=True)))

    def _processes(self, *, runner: bool) -> Sequence[int]:
        """This process, the gateway's, and the runner's if asked for."""
        process = self._runner().process
        others = {self._site, None if runner or process is None else process.pid}
        children = (pid for pid in procfs.children(os.getpid()) if pid not in others)
        return [os.getpid(), *(pid for child in children for pid in procfs.tree(child))]


def _other_cpu_seconds() -> float:
    """CPU seconds of all programs of the host but this process and those that it started."""
    return busy_cpu_seconds() - sum(map(procfs.cpu_seconds, procfs.tree(os.getpid())))
