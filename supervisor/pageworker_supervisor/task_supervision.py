"""Tasks that last as long as the worker."""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from typing import Any


class TaskExitedUnexpectedly(RuntimeError):
    """A task has ended that should last, or see its work through: a bug of ours. Better no worker than one that seems
    to work."""


def leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """The errors in a group, and in the groups in it."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error


async def run_forever(works: Mapping[str, Coroutine[Any, Any, object]]) -> None:
    """Run works, by name, until cancelled. One that ends, in whatever way, ends all: raises EndedByItself, in a group.

    A TaskGroup alone says nothing of a child that returned, or that a stray cancellation has ended.
    """
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(work, name=name) for name, work in works.items()]
        ended, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        silent = [task.get_name() for task in ended if task.cancelled() or task.exception() is None]
        if silent:
            raise TaskExitedUnexpectedly(", ".join(silent))
