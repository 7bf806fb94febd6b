"""Whose code is running: each attempt's handler, and all that it starts, carries the attempt's id with it."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from weakref import WeakSet

T = TypeVar("T")

ATTEMPT: contextvars.ContextVar[str | None] = contextvars.ContextVar("attempt", default=None)
"""The attempt that the current task belongs to; None in event callbacks and in the runner's own tasks."""

OWN: contextvars.ContextVar[bool] = contextvars.ContextVar("own", default=False)
"""The runner itself is at work on a page, so that nothing is booked against a module."""


@contextmanager
def own_work() -> Iterator[None]:
    """What is done inside is the runner's own, whoever's task it is."""
    token = OWN.set(True)
    try:
        yield
    finally:
        OWN.reset(token)


class Tasks:
    """The runner's own tasks, and every task that an attempt's code has started, so that none outlives it."""

    def __init__(self, group: asyncio.TaskGroup, failed: Callable[[BaseException], None]) -> None:
        """`failed` is told of an error that one of the runner's own tasks ended with: always a bug."""
        self._group = group
        self._failed = failed
        self._begun: dict[str, WeakSet[asyncio.Task[Any]]] = {}

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make `loop` note new tasks here."""
        loop.set_task_factory(self._make)

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task of the runner; an error of it ends the runner."""
        task = self._group.create_task(work)
        task.add_done_callback(self._check)
        return task

    def _check(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._failed(error)

    def _make(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(work, loop=loop, context=context)
        attempt = ATTEMPT.get() if context is None else context.get(ATTEMPT)
        if attempt is not None and not OWN.get():
            self._begun.setdefault(attempt, WeakSet()).add(task)
        return task

    async def end(self, attempt: str, grace_seconds: float) -> bool:
        """Cancel what an attempt left running. False: something swallows its cancellation."""
        left = {task for task in self._begun.pop(attempt, ()) if not task.done()}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=grace_seconds)
        return all(task.done() for task in left)
