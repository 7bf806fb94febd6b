"""Calls to several shards at once, with errors that come out as they are."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

from pageworker_supervisor.engine.errors import EngineError


async def together(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do all; the first failure cancels the others. Raises the first EngineError itself, anything else in a group.

    Callers look for Unavailable, not for groups of it. No `except*`: what is raised in one comes out in a group again.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            for work in works:
                tasks.create_task(work)
    except BaseExceptionGroup as several:
        if several.split(EngineError)[1] is not None:
            raise
        raise _first(several) from several


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
