"""Watches one runner: is its event loop alive, does it give pages back, does it stay within its limits."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Protocol

from pageworker_sandbox.launch import Cell
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.channel import Channel
from pageworker_supervisor.config.settings import SandboxSettings
from pageworker_supervisor.runners.breach import Breach, memory_breach, process_breach, tmpfs_breach

PING_SECONDS = 5.0
SILENT_PINGS = 3
"""So many unanswered pings, and a module blocks the event loop for everybody."""
COSTLY_EVERY = 2
"""Pings between two looks at memory and profile: a look costs some milliseconds per process, or a walk."""


class Watched(Protocol):
    """What the watch needs of a runner."""

    pong: int

    def kill(self, reason: str, *, charged: bool, breach: Breach | None = None) -> None: ...

    def overdue(self) -> str | None: ...

    def limit_hit(self) -> Breach | None:
        """What the kernel refused the runner, or killed of it, since this was asked before."""

    def measured(self, memory_bytes: int) -> None:
        """So much memory it uses now."""


async def watch(
    runner: Watched,
    channel: Channel,
    cell: Cell,
    limits: SandboxSettings,
    profile_breach: Callable[[], Awaitable[Breach | None]],
) -> None:
    """Ping and measure for ever; kill the runner when it is silent, keeps a page, or is past a limit.

    `profile_breach` measures its profile, if it has one.
    """
    for number in itertools.count(1):
        await channel.send(m.Ping(number=number))
        await asyncio.sleep(PING_SECONDS)
        if number - runner.pong >= SILENT_PINGS:
            runner.kill("its event loop does not answer", charged=True)
        if (attempt_id := runner.overdue()) is not None:
            runner.kill(f"it does not give back the page of {attempt_id}", charged=True)
        breach = runner.limit_hit() or await _cheap_breach(cell, limits)
        if breach is None and number % COSTLY_EVERY == 0:
            used_bytes = await cell.memory_bytes(limits.memory_bytes)
            breach = memory_breach(used_bytes, limits.memory_bytes) or await profile_breach()
            runner.measured(used_bytes)
        if breach is not None:
            runner.kill(breach.message, charged=True, breach=breach)


async def _cheap_breach(cell: Cell, limits: SandboxSettings) -> Breach | None:
    tmpfs = (tmpfs_breach(use) for use in await cell.tmpfs_use())
    full = next((breach for breach in tmpfs if breach is not None), None)
    return full or process_breach(await cell.processes(), limits.processes)
