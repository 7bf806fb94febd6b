"""Three healthy tenants under load beside a tenant whose browser contexts all fail: what it costs the healthy ones.

Windows without and with its jobs take turns on one worker, so that each pair sees the same minute of the host. The
browser is the headless shell: the full browser starts with a profile that is damaged like this.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bench.fixtures import headless_shell, redis_server, site
from bench.neighbours import HEALTHY, HealthyCpu, JobFuture, Neighbours
from bench.options import Options
from bench.rows import BenchRow, compared, median_interval
from bench.worker import BenchPlan, prepared, started

PAIRS_PER_ROUND = 4
"""Three rounds make twelve pairs: fewer cannot tell whether so close a bound is kept."""
BROKEN = "broken"
RUNNERS, PAGES = 4, 2
TAMPERED, DAMAGED = 6, 1
"""New profiles per window: tampered ones are refused, with damaged ones the browser does not start."""
JOBS_PER_PROFILE = 4
PUSH_SECONDS = 0.1
END_SECONDS = 300.0
NAMED = frozenset({"profile_tampered", "profile_corrupt", "browser_start_failed"})
AGAINST = "the same three tenants without the broken one, in turns"


@dataclass(frozen=True)
class Window:
    """The figures of the healthy tenants in one window."""

    cpu_ms_per_job: float
    cold_job_seconds: float


def rows(options: Options) -> Iterator[BenchRow]:
    """CPU per job and cold jobs of the healthy tenants, with and without the broken one; then how its jobs end."""
    with site() as (port, _), redis_server() as (url, _):
        plan = BenchPlan(url, ("visit",), PAGES, headless_shell(), port, RUNNERS)
        alone, beside, unnamed = asyncio.run(_measure(plan, options.rounds * PAIRS_PER_ROUND))
    for name, unit, ours, theirs in (
        ("cpu_ms_per_job", "ms", [w.cpu_ms_per_job for w in beside], [w.cpu_ms_per_job for w in alone]),
        ("cold_job_seconds", "s", [w.cold_job_seconds for w in beside], [w.cold_job_seconds for w in alone]),
    ):
        row = compared(f"broken.neighbours_{name}", unit, AGAINST, ours, theirs)
        ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
        yield msgspec.structs.replace(row, interval=median_interval(ratios))
    yield BenchRow(name="broken.jobs_without_a_named_error", value=float(unnamed), unit="jobs")


async def _measure(plan: BenchPlan, pairs: int) -> tuple[list[Window], list[Window], int]:
    alone: list[Window] = []
    beside: list[Window] = []
    async with prepared(plan) as workspace, started(workspace, plan) as bench:
        await bench.daemon.until_ready()
        neighbours = BrokenNeighbours(workspace, bench)
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(neighbours.read())
            await neighbours.window(broken=False)
            for pair in range(pairs):
                for broken in (False, True) if pair % 2 == 0 else (True, False):
                    (beside if broken else alone).append(await neighbours.window(broken=broken))
                print(f"pair {pair}: alone {alone[-1]}, beside {beside[-1]}", file=sys.stderr)
            unnamed = await neighbours.unnamed()
            reading.cancel()
    return alone, beside, unnamed


@dataclass
class BrokenNeighbours(Neighbours):
    """With the tenant whose contexts all fail."""

    _broken: list[JobFuture] = field(default_factory=list)

    async def window(self, *, broken: bool) -> Window:
        """Run one job per healthy tenant at a time, and one cold job; with `broken`, the broken tenant's jobs too."""
        cpu = HealthyCpu(self.bench)
        await cpu.sample()
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(cpu.watch())
            breaking = tasks.create_task(self._break()) if broken else None
            cold = tasks.create_task(self._cold())
            await self.healthy_jobs()
            cold_seconds = await cold
            if breaking is not None:
                await breaking
            watching.cancel()
        await cpu.sample()
        return Window(cpu.ms_per_job(), cold_seconds)

    async def unnamed(self) -> int:
        """How many jobs of the broken tenant ended without a named error, or not in time."""
        ended, late = await asyncio.wait(self._broken, timeout=END_SECONDS)
        if served := [answer.result()["job_id"] for answer in ended if answer.result()["status"] == "succeeded"]:
            raise RuntimeError(f"contexts that should be broken served {len(served)} jobs")
        named = sum((answer.result()["error"] or {}).get("type") in NAMED for answer in ended)
        return len(ended) - named + len(late)

    async def _cold(self) -> float:
        """Seconds of a job on a new profile: it needs a new runner."""
        began = time.monotonic()
        answer = await (await self.push(HEALTHY[0], f"cold-{next(self.numbers)}"))
        if answer["status"] != "succeeded":
            raise RuntimeError(f"a cold job: {answer}")
        return time.monotonic() - began

    async def _break(self) -> None:
        names = [f"tampered-{next(self.numbers)}" for _ in range(TAMPERED)]
        for name in names:
            (self._profile(name) / "SingletonLock").mkdir()
        for _ in range(DAMAGED):
            names.append(f"damaged-{next(self.numbers)}")
            data = self._profile(names[-1])
            (data / "Default").write_bytes(b"a file where a folder should be")
            (data / "Local State").mkdir()
        for name in names * JOBS_PER_PROFILE:
            self._broken.append(await self.push(BROKEN, name))
            await asyncio.sleep(PUSH_SECONDS)

    def _profile(self, name: str) -> Path:
        """A profile folder as the store makes it."""
        data = self.workspace.folder / "profiles" / BROKEN / name / "data"
        data.mkdir(parents=True)
        for folder in (data.parent.parent, data.parent):
            folder.chmod(0o711)
        return data
