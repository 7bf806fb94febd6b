"""Watches one runner: is its event loop alive, does it give pages back, does it stay within its limits."""

import asyncio
import itertools
from typing import Protocol

from pageworker_sandbox.launch import Cell
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.channel import Channel
from pageworker_supervisor.runners.breach import Breach
from pageworker_supervisor.runners.house import Folder
from pageworker_supervisor.runners.runner_limits import RunnerLimits
from pageworker_supervisor.runners.running import Running

PING_SECONDS = 5.0
SILENT_PINGS = 3
"""So many unanswered pings, and a module blocks the event loop for everybody."""
COSTLY_EVERY = 2
"""Pings between two looks at memory and profile: a look costs some milliseconds per process, or a walk."""


class Watched(Protocol):
    """What the watch needs of a runner."""

    pong: int
    jobs_done: int
    running: dict[str, Running]

    def kill(self, reason: str, *, charged: bool, breach: Breach | None = None) -> None: ...

    def overdue(self) -> str | None: ...


async def watch(runner: Watched, channel: Channel, cell: Cell, limits: RunnerLimits, folder: Folder) -> None:
    """Ping and measure for ever; kill the runner when it is silent, keeps a page, or is past a limit."""
    for number in itertools.count(1):
        await channel.send(m.Ping(number=number))
        await asyncio.sleep(PING_SECONDS)
        if number - runner.pong >= SILENT_PINGS:
            runner.kill("its event loop does not answer", charged=True)
        if (attempt_id := runner.overdue()) is not None:
            runner.kill(f"it does not give back the page of {attempt_id}", charged=True)
        breach = await limits.breach(
            cell, folder, runner.jobs_done, busy=bool(runner.running), costly=number % COSTLY_EVERY == 0
        )
        if breach is not None:
            runner.kill(breach.message, charged=True, breach=breach)
