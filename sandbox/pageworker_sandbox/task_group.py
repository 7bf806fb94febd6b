"""A task group after which its task can use timeouts again.

Up to Python 3.12, `asyncio.TaskGroup` asks its own task to be cancelled if a child fails while it waits at its end, and
does not take that request back (python/cpython#116720). Such a task is marked as cancelled from then on. With Python
3.11.2, as in Debian 12, the next `asyncio.timeout` that runs out in it ends as CancelledError in place of TimeoutError.
A task that caught the error and went on would end, and the process with it.
"""

import asyncio
from types import TracebackType


class TaskGroup(asyncio.TaskGroup):
    """`asyncio.TaskGroup`, which takes back what it asked for."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See `asyncio.TaskGroup`."""
        task = asyncio.current_task()
        before = task.cancelling() if task is not None else 0
        try:
            await super().__aexit__(kind, error, trace)
        except BaseExceptionGroup:
            # A request from outside alone ends as CancelledError, which passes.
            if task is not None and task.cancelling() > before:
                task.uncancel()
            raise
