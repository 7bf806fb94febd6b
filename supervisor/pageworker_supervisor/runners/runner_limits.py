"""The limits of one runner: what the kernel enforced, what was measured, and which attempt exceeded one."""

from collections.abc import Collection

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
from pageworker_supervisor.runners.resources import RunnerFolder
from pageworker_supervisor.runners.sent_attempt import SentAttempt
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

EXHAUSTED = frozenset({"memory_limit", "process_limit"})
"""Failures after which a runner has too little memory or too few processes left for the next job."""


class EnforcedLimits:
    """Those of one runner. `memory_bytes`: what it used when it was measured last."""

    def __init__(self, sandbox: SandboxSettings) -> None:
        self.memory_bytes = 0
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
            found = memory_breach(self.memory_bytes, sandbox.memory_bytes)
            found = found or await self.profile_breach(folder, jobs_done, busy=busy)
        return found

    async def profile_closed(self, folder: RunnerFolder, jobs_done: int, metrics: Metrics) -> None:
        """Its browser is gone: log a profile that has become too large to be opened again."""
        breach = await self.profile_breach(folder, jobs_done, busy=False)
        if breach is not None:
            log.warning("a profile is too large to be opened again", reason=breach.message)
            metrics.limit_breached(breach.limit)


def is_alone(breach: Breach, running: Collection[SentAttempt], recycling: Collection[str]) -> bool:
    """Whether one attempt must have exceeded the limit: it was alone on the runner, which was well below the limit.

    `recycling`: attempts that are done, whose pages are not free yet.
    """
    if len(running) != 1 or recycling:
        return False
    (one,) = running
    return breach.limit != "memory_limit" or one.memory_before_bytes <= breach.allowed / 2
