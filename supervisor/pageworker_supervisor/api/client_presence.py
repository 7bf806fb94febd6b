"""Ends what is done for a client that has closed its connection: uvicorn tells of it, and cancels nothing."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.api.problem import ApiProblem

T = TypeVar("T")


async def while_connected(receive: Receive, call: Coroutine[Any, Any, T]) -> T:
    """The value of a call. It is cancelled when the client closes the connection; ApiProblem is raised then.

    What the client sends meanwhile is dropped.
    """
    try:
        async with TaskGroup() as tasks:
            work, watching = tasks.create_task(call), tasks.create_task(_gone(receive))
            work.add_done_callback(lambda _: watching.cancel())
            watching.add_done_callback(lambda _: work.cancel())
    except BaseExceptionGroup as group:
        # The other task was cancelled for it.
        raise group.exceptions[0] from None
    if work.cancelled():
        raise ApiProblem("invalid_request", "The connection was closed before the answer")
    return work.result()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
