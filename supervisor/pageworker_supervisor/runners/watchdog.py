"""Watches one runner: is its event loop alive, does it give pages back, does it stay within its limits."""

import asyncio
import itertools
from collections.abc import Awaitable
from typing import Protocol, TypeVar

from pageworker_sandbox.launch import SandboxedProcess
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.channel import Channel
from pageworker_supervisor.runners.limit_breach import Breach
from pageworker_supervisor.runners.resources import RunnerFolder
from pageworker_supervisor.runners.runner_limits import EnforcedLimits
from pageworker_supervisor.runners.running_attempt import SentAttempt
from pageworker_supervisor.telemetry import log

T = TypeVar("T")

NO_THREAD = "can't start new thread"
"""asyncio.to_thread says so with a RuntimeError."""
PING_SECONDS = 5.0
SILENT_PINGS = 3
"""So many unanswered pings, and a module blocks the event loop for everybody."""
COSTLY_EVERY = 2
"""Pings between two looks at memory and profile: a look costs some milliseconds per process, or a walk."""


class Watched(Protocol):
    """What the watch needs of a runner."""

    pong: int
    runner_id: str
    jobs_done: int
    running: dict[str, SentAttempt]

    def kill(self, reason: str, *, charged: bool, breach: Breach | None = None) -> None: ...

    def page_return_overdue(self) -> str | None: ...


async def watch(
    runner: Watched, channel: Channel, cell: SandboxedProcess, limits: EnforcedLimits, folder: RunnerFolder
) -> None:
    """Ping and measure for ever; kill the runner when it is silent, keeps a page, or is past a limit."""
    for number in itertools.count(1):
        await channel.send(m.Ping(number=number))
        await asyncio.sleep(PING_SECONDS)
        if number - runner.pong >= SILENT_PINGS:
            runner.kill("its event loop does not answer", charged=True)
        if (attempt_id := runner.page_return_overdue()) is not None:
            runner.kill(f"it does not give back the page of {attempt_id}", charged=True)
        costly = number == 1 or number % COSTLY_EVERY == 0
        look = limits.breach(cell, folder, runner.jobs_done, busy=bool(runner.running), costly=costly)
        breach = await _unless_the_host_fails(look, runner)
        if breach is not None:
            runner.kill(breach.message, charged=True, breach=breach)


async def _unless_the_host_fails(look: Awaitable[T], runner: Watched) -> T | None:
    """What a look at a runner finds; None where the host cannot even say: its descriptors, memory or threads are used
    up. The next look comes soon, and the runner and its jobs have nothing to do with it."""
    try:
        return await look
    except (OSError, RuntimeError) as trouble:
        if isinstance(trouble, RuntimeError) and NO_THREAD not in str(trouble):
            raise
        log.warning("runner could not be measured", runner_id=runner.runner_id, reason=str(trouble))
        return None
