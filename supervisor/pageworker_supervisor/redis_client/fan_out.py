"""Calls to several shards at once, with errors that come out as they are."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

from pageworker_supervisor.redis_client.errors import RedisClientError


async def fan_out(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do all; the first failure cancels the others. Raises the first RedisClientError itself, anything else in a group.

    Callers look for Unavailable, not for groups of it. No `except*`: what is raised in one comes out in a group again.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            children = [tasks.create_task(work) for work in works]
            if children:
                # Within the block: a group whose child fails while it waits at its end leaves its task marked as being
                # cancelled on Python 3.11 (python/cpython#116720), and the task's next time limit would end it.
                await asyncio.wait(children)
        for child in children:
            child.result()  # one that a stray cancellation has ended has done nothing
    except BaseExceptionGroup as several:
        if several.split(RedisClientError)[1] is not None:
            raise
        raise _first(several) from several


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
