"""Which attempt the running code belongs to, and whether it is the module's code or the runner's own.

Two context variables answer that together. Every task inherits both from the code that starts it:

| CURRENT_ATTEMPT | OWN_WORK | what runs |
|---|---|---|
| None | any | the runner, for no attempt |
| an id | False | the module: what it does is recorded as a side effect of this attempt |
| an id | True | the runner, for this attempt (cleaning, failure artifacts): nothing is recorded |

Playwright calls listeners of a module from a task of the runner. `Callback` wraps them, so that they run with the
variables of the code that registered them.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from weakref import WeakSet

T = TypeVar("T")

CURRENT_ATTEMPT: contextvars.ContextVar[str | None] = contextvars.ContextVar("attempt", default=None)
"""The attempt that the current task or callback belongs to. None in the runner's own tasks."""

OWN_WORK: contextvars.ContextVar[bool] = contextvars.ContextVar("own_work", default=False)
"""True while the runner itself works on a page. Then nothing is recorded as a side effect of the module."""


@contextmanager
def own_work() -> Iterator[None]:
    """Mark what is done inside the block as the runner's own work, even in an attempt's task."""
    token = OWN_WORK.set(True)
    try:
        yield
    finally:
        OWN_WORK.reset(token)


OWNER = "pageworker_attempt"
"""Name of the attempt in the `__dict__` of an error that one of its callbacks raised."""


def attempt_of_error(error: BaseException) -> str | None:
    """The attempt whose callback raised `error`. None: it was no callback of an attempt."""
    attempt_id: str | None = vars(error).get(OWNER)
    return attempt_id


class Callback:
    """A listener, route handler, binding or predicate that runs on behalf of the attempt that registered it.

    Playwright calls callbacks from the task that reads its driver's messages, which belongs to the runner.
    """

    def __init__(self, handler: Callable[..., Any], call: Callable[..., Any]) -> None:
        """`handler` is what the module registered; it tells two callbacks apart, so that the module can remove its own.
        `call` is what runs: the handler, wrapped for the number of arguments that Playwright passes."""
        self._handler = handler
        self._call = call
        self._attempt = CURRENT_ATTEMPT.get()
        self._own_work = OWN_WORK.get()

    def __call__(self, *arguments: Any) -> Any:
        """Call it. The task of an `async def` belongs to the attempt as well, and ends with it.

        An error of either one names its attempt: who handles it runs in a task of the runner.
        """
        attempt, own = CURRENT_ATTEMPT.set(self._attempt), OWN_WORK.set(self._own_work)
        try:
            result = self._call(*arguments)
            if not asyncio.iscoroutine(result):
                return result
            task = asyncio.ensure_future(result)  # noqa: TID251 - Playwright awaits it; Tasks ends it with its attempt
            task.add_done_callback(self._name_owner)
            return task
        except Exception as error:
            vars(error)[OWNER] = self._attempt
            raise
        finally:
            OWN_WORK.reset(own)
            CURRENT_ATTEMPT.reset(attempt)

    def _name_owner(self, task: asyncio.Future[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            vars(error)[OWNER] = self._attempt

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Callback) and self._handler == other._handler

    def __hash__(self) -> int:
        return hash(self._handler)


class Tasks:
    """The runner's own tasks, and every task that an attempt's code has started, so that none outlives its attempt."""

    def __init__(self, group: asyncio.TaskGroup, on_error: Callable[[BaseException], None]) -> None:
        """`on_error` is called with an error that one of the runner's own tasks ended with. It is always a bug."""
        self._group = group
        self._on_error = on_error
        self._of_attempts: dict[str, WeakSet[asyncio.Task[Any]]] = {}

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have `loop` create its tasks through this object."""
        loop.set_task_factory(self._make)

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task of the runner. An error of it ends the runner."""
        task = self._group.create_task(work)
        task.add_done_callback(self._check)
        return task

    def begin(self, attempt_id: str) -> None:
        """Start to track the tasks of an attempt."""
        self._of_attempts[attempt_id] = WeakSet()

    async def end(self, attempt_id: str, grace_seconds: float) -> bool:
        """Cancel the tasks that an attempt left running. Returns False if one of them suppresses its cancellation."""
        left = {task for task in self._of_attempts.pop(attempt_id, ()) if not task.done()}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=grace_seconds)
        return all(task.done() for task in left)

    def _check(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._on_error(error)

    def _make(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(work, loop=loop, context=context)
        attempt_id = CURRENT_ATTEMPT.get() if context is None else context.get(CURRENT_ATTEMPT)
        if attempt_id is not None and not OWN_WORK.get():
            tasks = self._of_attempts.get(attempt_id)
            if tasks is None:
                # A callback ran after the end of its attempt.
                task.cancel()
            else:
                tasks.add(task)
        return task
