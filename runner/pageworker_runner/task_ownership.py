"""Whose code is running: each attempt's handler, and all that it starts, carries the attempt's id with it."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from weakref import WeakSet

T = TypeVar("T")

ATTEMPT: contextvars.ContextVar[str | None] = contextvars.ContextVar("attempt", default=None)
"""The attempt that the current task or callback belongs to; None in the runner's own tasks."""

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


class Callback:
    """A listener, route handler, binding or predicate: whatever calls it, it is at work for whoever registered it.

    Playwright calls them from the task that reads its driver's messages, which is the runner's.
    """

    def __init__(self, handler: Callable[..., Any], call: Callable[..., Any]) -> None:
        """`call` is `handler` as Playwright calls it. Callbacks of one handler are equal, so that it can be removed."""
        self._handler = handler
        self._call = call
        self._attempt = ATTEMPT.get()
        self._own = OWN.get()

    def __call__(self, *arguments: Any) -> Any:
        """Call it; where it is `async def`, its task is the attempt's as well, and ends with it."""
        attempt, own = ATTEMPT.set(self._attempt), OWN.set(self._own)
        try:
            result = self._call(*arguments)
            if not asyncio.iscoroutine(result):
                return result
            return asyncio.ensure_future(result)  # noqa: TID251 - Playwright awaits it; Tasks ends it with its attempt
        finally:
            OWN.reset(own)
            ATTEMPT.reset(attempt)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Callback) and self._handler == other._handler

    def __hash__(self) -> int:
        return hash(self._handler)


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

    def begin(self, attempt: str) -> None:
        """From now on tasks may be this attempt's."""
        self._begun[attempt] = WeakSet()

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
            begun = self._begun.get(attempt)
            if begun is None:
                # A callback that came after its attempt's end.
                task.cancel()
            else:
                begun.add(task)
        return task

    async def end(self, attempt: str, grace_seconds: float) -> bool:
        """Cancel what an attempt left running. False: something swallows its cancellation."""
        left = {task for task in self._begun.pop(attempt, ()) if not task.done()}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=grace_seconds)
        return all(task.done() for task in left)
