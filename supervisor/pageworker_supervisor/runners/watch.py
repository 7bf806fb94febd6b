"""Watches one runner: is its event loop alive, does it give pages back, does it stay within its memory."""

import asyncio
import itertools
from typing import Protocol

from pageworker_sandbox.launch import Cell
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.channel import Channel

PING_SECONDS = 5.0
SILENT_PINGS = 3
"""So many unanswered pings, and a module blocks the event loop for everybody."""
MEMORY_EVERY = 2
"""Pings between two looks at the memory: a look costs some milliseconds a process."""


class Watched(Protocol):
    """What the watch needs of a runner."""

    pong: int

    def kill(self, reason: str, *, charged: bool) -> None: ...

    def overdue(self) -> str | None: ...


async def watch(runner: Watched, channel: Channel, cell: Cell, memory_bytes: int) -> None:
    """Ping and measure for ever; kill the runner when it is silent, keeps a page, or is too large."""
    for number in itertools.count(1):
        await channel.send(m.Ping(number=number))
        await asyncio.sleep(PING_SECONDS)
        if number - runner.pong >= SILENT_PINGS:
            runner.kill("its event loop does not answer", charged=True)
        if (attempt_id := runner.overdue()) is not None:
            runner.kill(f"it does not give back the page of {attempt_id}", charged=True)
        if number % MEMORY_EVERY == 0 and (used := await cell.memory_bytes()) > memory_bytes:
            runner.kill(f"it uses {used} bytes of memory, at most {memory_bytes}", charged=True)
