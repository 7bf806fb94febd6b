"""Drains that were asked for over the socket. Who stops listening does not stop the drain."""

import asyncio
from collections.abc import AsyncIterator

import msgspec

from pageworker_supervisor.admin.errors import WorkerRefused
from pageworker_supervisor.admin.status import DrainLine

Line = DrainLine | WorkerRefused | None
"""None: no more lines."""
ALIVE_SECONDS = 2.0
"""A drain may say nothing for minutes: an empty line so often tells its listener that the worker lives."""


class KeepAliveDue:
    """Nothing was said for ALIVE_SECONDS."""


class Drains:
    """Runs drains as tasks of the servers' own group, apart from the requests that asked for them."""

    def __init__(self) -> None:
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Has to run for `start` to work; cancelled, it ends the drains and the answers that tell of them."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            await asyncio.Event().wait()

    async def start(self, drain: AsyncIterator[DrainLine]) -> AsyncIterator[bytes]:
        """Begin. Raises WorkerRefused before the first line; gives the lines as JSON."""
        if self._tasks is None:
            raise WorkerRefused("the worker is not up yet")
        lines: asyncio.Queue[Line] = asyncio.Queue()
        self._tasks.create_task(_feed(drain, lines), name="drain")
        first = await _next(lines)
        if isinstance(first, WorkerRefused):
            raise first
        return _told(first, lines)


async def _feed(drain: AsyncIterator[DrainLine], lines: asyncio.Queue[Line]) -> None:
    try:
        async for line in drain:
            lines.put_nowait(line)
    except WorkerRefused as refused:
        lines.put_nowait(refused)
    finally:
        lines.put_nowait(None)


async def _told(first: DrainLine | KeepAliveDue | None, lines: asyncio.Queue[Line]) -> AsyncIterator[bytes]:
    line: Line | KeepAliveDue = first
    while isinstance(line, DrainLine | KeepAliveDue):
        yield b"\n" if isinstance(line, KeepAliveDue) else msgspec.json.encode(line) + b"\n"
        line = await _next(lines)


async def _next(lines: asyncio.Queue[Line]) -> Line | KeepAliveDue:
    try:
        async with asyncio.timeout(ALIVE_SECONDS):
            return await lines.get()
    except TimeoutError:
        return KeepAliveDue()
