"""Drains started over the control socket. A client that disconnects does not stop its drain."""

import asyncio
from collections.abc import AsyncIterator

import msgspec

from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.admin.errors import WorkerRefused
from pageworker_supervisor.admin.status import DrainLine

Line = DrainLine | WorkerRefused | None
"""None: no more lines."""
ALIVE_SECONDS = 2.0
"""Between two lines of a drain minutes can pass. An empty line at this interval shows the client that the worker
lives."""


class KeepAliveDue:
    """There was no line for ALIVE_SECONDS."""


class RunningDrains:
    """Runs drains as tasks of their own, independent of the requests that started them."""

    def __init__(self) -> None:
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Run until cancelled; `start` needs it. Its cancellation ends the drains and their answers."""
        async with TaskGroup() as tasks:
            self._tasks = tasks
            await asyncio.Event().wait()

    async def start(self, drain: AsyncIterator[DrainLine]) -> AsyncIterator[bytes]:
        """Start a drain, and return its lines as JSON. Raises WorkerRefused before the first line."""
        if self._tasks is None:
            raise WorkerRefused("the worker is not up yet")
        lines: asyncio.Queue[Line] = asyncio.Queue()
        self._tasks.create_task(_feed(drain, lines), name="drain")
        first = await _next(lines)
        if isinstance(first, WorkerRefused):
            raise first
        return _encode(first, lines)


async def _feed(drain: AsyncIterator[DrainLine], lines: asyncio.Queue[Line]) -> None:
    try:
        async for line in drain:
            lines.put_nowait(line)
    except WorkerRefused as refused:
        lines.put_nowait(refused)
    finally:
        lines.put_nowait(None)


async def _encode(first: DrainLine | KeepAliveDue | None, lines: asyncio.Queue[Line]) -> AsyncIterator[bytes]:
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
