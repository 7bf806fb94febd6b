"""Tasks that run as long as the worker."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from pageworker_sandbox.task_group import TaskGroup

if TYPE_CHECKING:
    from loguru import Logger


class TaskExitedUnexpectedly(RuntimeError):
    """A task ended that should run for ever, or finish its work: a bug. The worker ends, rather than seem to work."""


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors in a group and in its inner groups; the error itself where it is no group."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


async def contained(work: Awaitable[None], log: "Logger") -> None:
    """Do this work. A bug in it is logged, and ends nothing else. Raises what ends the worker."""
    try:
        await work
    except Exception as bug:
        if ends_the_worker(bug):
            raise
        log.opt(exception=bug).error("a step of an attempt met a bug")


def ends_the_worker(error: BaseException) -> bool:
    """Whether a task ended that must not."""
    return any(isinstance(leaf, TaskExitedUnexpectedly) for leaf in leaves(error))


async def run_forever(works: Mapping[str, Coroutine[Any, Any, object]]) -> None:
    """Run tasks, by name, until cancelled. If one ends, all end, and TaskExitedUnexpectedly is raised in a group.

    A TaskGroup alone does not report a child that returned, or that a stray cancellation ended.
    """
    async with TaskGroup() as tasks:
        running = [tasks.create_task(work, name=name) for name, work in works.items()]
        ended, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        silent = [task.get_name() for task in ended if task.cancelled() or task.exception() is None]
        if silent:
            raise TaskExitedUnexpectedly(", ".join(silent))


async def look_when_noticed(
    notice: asyncio.Event, poll_seconds: float, look: Callable[[], Awaitable[object]]
) -> NoReturn:
    """Call `look` now, at each notice, and about every `poll_seconds`, because a notice may get lost."""
    while True:
        notice.clear()
        await look()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(poll_seconds * random.uniform(0.8, 1.2)):
                await notice.wait()
