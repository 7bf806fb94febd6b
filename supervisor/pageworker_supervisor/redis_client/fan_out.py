"""Calls to several shards at once. Errors of Redis are raised directly, not in a group."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.redis_client.errors import RedisClientError


async def fan_out(calls: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all calls; the first failure cancels the others.

    Raises the first RedisClientError itself, so that callers need not look into groups. Raises other errors in a group.
    Not with `except*`, because an error raised there would be in a group again.
    """
    try:
        async with TaskGroup() as tasks:
            children = [tasks.create_task(call) for call in calls]
            if children:
                # Wait inside the block. On Python 3.11 a TaskGroup whose child fails while it waits at its own end
                # leaves the parent task marked as cancelled (python/cpython#116720), and its next timeout would end it.
                await asyncio.wait(children)
        for child in children:
            child.result()  # raises if a stray cancellation ended the child
    except BaseExceptionGroup as group:
        if group.split(RedisClientError)[1] is not None:
            raise
        raise _first(group) from group


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
