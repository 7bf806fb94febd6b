"""Watches one runner: does its event loop answer, does it free its pages, does it stay within its limits?"""

import asyncio
import itertools
from collections.abc import Awaitable
from typing import Protocol, TypeVar

from pageworker_sandbox.launch import SandboxedProcess
from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.runners.limit_breach import Breach
from pageworker_supervisor.runners.resources import RunnerFolder
from pageworker_supervisor.runners.runner_connection import RunnerConnection
from pageworker_supervisor.runners.runner_limits import EnforcedLimits
from pageworker_supervisor.runners.sent_attempt import SentAttempt
from pageworker_supervisor.telemetry import log

T = TypeVar("T")

NO_THREAD = "can't start new thread"
"""The text of the RuntimeError that asyncio.to_thread raises."""
PING_SECONDS = 5.0
SILENT_PINGS = 3
"""Unanswered pings after which a runner is killed: a module blocks the event loop for all jobs on it."""
COSTLY_EVERY = 2
"""Pings between two measurements of memory and profile: these cost milliseconds per process, or a walk of a tree."""


class WatchedRunner(Protocol):
    """What the watchdog needs of a runner."""

    pong: int
    """The number of the last ping that it answered."""
    runner_id: str
    jobs_done: int
    running: dict[str, SentAttempt]

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
    """What a measurement finds; None where the host cannot measure: its descriptors, memory or threads are used up.

    The runner and its jobs are not the cause. The next measurement comes soon.
    """
    try:
        return await measurement
    except (OSError, RuntimeError) as trouble:
        if isinstance(trouble, RuntimeError) and NO_THREAD not in str(trouble):
            raise
        log.warning("runner could not be measured", runner_id=runner.runner_id, reason=str(trouble))
        return None
