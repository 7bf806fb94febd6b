"""What is known of one runner's limits: what the kernel has enforced, what was measured, and whose a breach is."""

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
from pageworker_supervisor.runners.running_attempt import SentAttempt
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics

EXHAUSTED = frozenset({"memory_limit", "process_limit"})
"""Failures after which little is left for the next job."""


class EnforcedLimits:
    """One runner's. `memory_bytes`: what it used at the last look."""

    def __init__(self, sandbox: SandboxSettings) -> None:
        self.memory_bytes = 0
        self._sandbox = sandbox
        self._hits = LimitHits()
        self._measured_jobs = 0

    def kernel_breach(self, cell: SandboxedProcess | None) -> Breach | None:
        """What the kernel refused the runner, or killed of it, since this was asked last. Known only with a cgroup."""
        if cell is None:
            return None
        before, self._hits = self._hits, cell.limit_hits()
        return kernel_breach(before, self._hits, self._sandbox.memory_bytes, self._sandbox.processes)

    def breach_behind(self, done: m.Done, cell: SandboxedProcess | None) -> Breach | None:
        """The limit that made an attempt fail: a tmpfs that is full, or what the kernel enforced since the last look.

        Its out-of-memory killer takes the largest process, often a page's, and the failure can have any name.
        """
        if done.failure is None or cell is None:
            return None
        full = next(filter(None, map(tmpfs_breach, cell.tmpfs_use_now())), None)
        return full or self.kernel_breach(cell)

    async def profile_breach(self, folder: RunnerFolder, jobs_done: int, *, busy: bool) -> Breach | None:
        """Measure the profile, where a job has run since that was done last: a walk costs 20 ms at least."""
        if not busy and jobs_done == self._measured_jobs:
            return None
        self._measured_jobs = jobs_done
        try:
            return await folder.breach()
        except ProfileError as error:
            log.warning("a profile is not measured", reason=str(error))
            return None

    async def breach(
        self, cell: SandboxedProcess, folder: RunnerFolder, jobs_done: int, *, busy: bool, costly: bool
    ) -> Breach | None:
        """Look at everything, what is `costly` (memory, profile) only where that is asked for."""
        sandbox = self._sandbox
        tmpfs = map(tmpfs_breach, await cell.tmpfs_use())
        found = self.kernel_breach(cell) or next(filter(None, tmpfs), None)
        found = found or process_breach(await cell.processes(), sandbox.processes)
        if found is None and costly:
            self.memory_bytes = await cell.memory_bytes(sandbox.memory_bytes)
            found = memory_breach(self.memory_bytes, sandbox.memory_bytes)
            found = found or await self.profile_breach(folder, jobs_done, busy=busy)
        return found

    async def profile_closed(self, folder: RunnerFolder, jobs_done: int, metrics: Metrics) -> None:
        """Its browser has gone: say so where the profile will not be opened again."""
        breach = await self.profile_breach(folder, jobs_done, busy=False)
        if breach is not None:
            log.warning("a profile is too large to be opened again", reason=breach.message)
            metrics.limit_breached(breach.limit)


def is_alone(breach: Breach, running: Collection[SentAttempt], owed: Collection[str]) -> bool:
    """Whether one attempt must have gone past the limit: it had the runner to itself, and found it well below.

    `owed`: attempts that are done, whose pages are not given back yet.
    """
    if len(running) != 1 or owed:
        return False
    (one,) = running
    return breach.limit != "memory_limit" or one.memory_before_bytes <= breach.allowed / 2
