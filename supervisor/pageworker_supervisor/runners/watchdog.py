"""Watches one runner: does its event loop answer, does it free its pages, does it stay within its limits?

A limit is exceeded if the kernel says so, or a measurement.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable
from typing import Protocol, TypeVar

from pageworker_profiles.errors import ProfileError
from pageworker_sandbox.launch import SandboxedProcess
from pageworker_sandbox.launch.cgroup import LimitHits
from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.config.settings import SandboxSettings
from pageworker_supervisor.runners.limit_breach import (
    Breach,
    kernel_breach,
    memory_breach,
    process_breach,
    tmpfs_breach,
)
from pageworker_supervisor.runners.page_reservation import PageReservation
from pageworker_supervisor.runners.resources import RunnerFolder
from pageworker_supervisor.runners.runner_connection import RunnerConnection
from pageworker_supervisor.runners.runner_wear import IdleMemory
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

T = TypeVar("T")

NO_THREAD = "can't start new thread"
"""The text of the RuntimeError that asyncio.to_thread raises."""
PING_SECONDS = 5.0
SILENT_PINGS = 3
"""Unanswered pings after which a runner is killed: a module blocks the event loop for all jobs on it."""
COSTLY_EVERY = 2
"""Pings between two measurements of memory and profile: these cost milliseconds per process, or a walk of a tree."""


class EnforcedLimits:
    """Those of one runner. `memory_bytes`, `cpu_seconds`: what it used when it was measured last."""

    def __init__(self, sandbox: SandboxSettings) -> None:
        self.memory_bytes = 0
        self.cpu_seconds = 0.0
        self.idle_memory = IdleMemory()
        self._sandbox = sandbox
        self._hits = LimitHits()
        self._measured_jobs = 0

    def kernel_breach(self, process: SandboxedProcess | None) -> Breach | None:
        """What the kernel refused the runner, or killed of it, since the last call. Known only with a cgroup."""
        if process is None:
            return None
        before, self._hits = self._hits, process.limit_hits()
        return kernel_breach(before, self._hits, self._sandbox.memory_bytes, self._sandbox.processes)

    def breach_behind(self, done: m.Done, process: SandboxedProcess | None) -> Breach | None:
        """The limit that made an attempt fail: a tmpfs that is full, or what the kernel enforced since the last call.

        The out-of-memory killer takes the largest process, often a page's, so the failure can have any name.
        """
        if done.failure is None or process is None:
            return None
        full = next(filter(None, map(tmpfs_breach, process.tmpfs_use_now())), None)
        return full or self.kernel_breach(process)

    async def profile_breach(self, folder: RunnerFolder, jobs_done: int, *, busy: bool) -> Breach | None:
        """Measure the profile if a job has run since the last time: a walk of its tree costs 20 ms or more."""
        if not busy and jobs_done == self._measured_jobs:
            return None
        self._measured_jobs = jobs_done
        try:
            return await folder.breach()
        except ProfileError as error:
            log.warning("a profile is not measured", reason=str(error))
            return None

    async def breach(
        self, process: SandboxedProcess, folder: RunnerFolder, jobs_done: int, *, busy: bool, costly: bool
    ) -> Breach | None:
        """Measure everything; memory and profile only if `costly`."""
        sandbox = self._sandbox
        tmpfs = map(tmpfs_breach, await process.tmpfs_use())
        found = self.kernel_breach(process) or next(filter(None, tmpfs), None)
        found = found or process_breach(await process.processes(), sandbox.processes)
        if found is None and costly:
            self.memory_bytes = await process.memory_bytes(sandbox.memory_bytes)
            self.cpu_seconds = await process.cpu_seconds()
            if not busy:
                self.idle_memory.add(time.monotonic(), self.memory_bytes)
            found = memory_breach(self.memory_bytes, sandbox.memory_bytes)
            found = found or await self.profile_breach(folder, jobs_done, busy=busy)
        return found

    async def profile_closed(self, folder: RunnerFolder, jobs_done: int, metrics: Metrics) -> None:
        """Its browser is gone: log a profile that has become too large to be opened again."""
        breach = await self.profile_breach(folder, jobs_done, busy=False)
        if breach is not None:
            log.warning("a profile is too large to be opened again", reason=breach.message)
            metrics.runners.limit_breached(breach.limit)


class WatchedRunner(Protocol):
    """What the watchdog needs of a runner."""

    pong: int
    """The number of the last ping that it answered."""
    runner_id: str
    jobs_done: int
    running: dict[str, PageReservation]

    def expect_pong(self, number: int) -> None: ...

    def kill(self, reason: str, *, charged: bool, breach: Breach | None = None) -> None: ...

    def page_return_overdue(self) -> str | None: ...


async def watch(
    runner: WatchedRunner,
    connection: RunnerConnection,
    process: SandboxedProcess,
    limits: EnforcedLimits,
    folder: RunnerFolder,
) -> None:
    """Ping and measure for ever. Kill the runner when it is silent, keeps a page, or exceeds a limit."""
    for number in itertools.count(1):
        runner.expect_pong(number)
        await connection.send(m.Ping(number=number))
        await asyncio.sleep(PING_SECONDS)
        if number - runner.pong >= SILENT_PINGS:
            runner.kill("its event loop does not answer", charged=True)
        if (attempt_id := runner.page_return_overdue()) is not None:
            runner.kill(f"it does not free the page of {attempt_id}", charged=True)
        costly = number == 1 or number % COSTLY_EVERY == 0
        measurement = limits.breach(process, folder, runner.jobs_done, busy=bool(runner.running), costly=costly)
        breach = await _unless_the_host_fails(measurement, runner)
        if breach is not None:
            runner.kill(breach.message, charged=True, breach=breach)


async def _unless_the_host_fails(measurement: Awaitable[T], runner: WatchedRunner) -> T | None:
    """What a measurement finds; None if the host cannot measure: its descriptors, memory or threads are used up.

    The runner and its jobs are not the cause. The next measurement comes soon.
    """
    try:
        return await measurement
    except (OSError, RuntimeError) as trouble:
        if isinstance(trouble, RuntimeError) and NO_THREAD not in str(trouble):
            raise
        log.warning("runner could not be measured", runner_id=runner.runner_id, reason=str(trouble))
        return None
