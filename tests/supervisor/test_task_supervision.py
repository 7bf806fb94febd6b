"""A task that ends ends the worker, and the error names it."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from pageworker_supervisor.task_supervision import TaskExitedUnexpectedly, run_forever


async def for_ever() -> None:
    await asyncio.Event().wait()


async def returns() -> None:
    await asyncio.sleep(0)


async def stray() -> None:
    """A stray cancellation, which a TaskGroup does not report."""
    await asyncio.sleep(0)
    raise asyncio.CancelledError


async def fails() -> None:
    await asyncio.sleep(0)
    raise KeyError("a bug")


@pytest.mark.parametrize("ended", [returns, stray])
async def test_one_that_ends_by_itself_ends_all(ended: Any) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await run_forever({"stays": for_ever(), "ends": ended()})
    (why,) = caught.value.exceptions
    assert isinstance(why, TaskExitedUnexpectedly)
    assert str(why) == "ends"


async def test_an_error_comes_out() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await run_forever({"stays": for_ever(), "fails": fails()})
    assert [type(error) for error in caught.value.exceptions] == [KeyError]
    await _time_limits_work()


async def test_cancelled_it_ends_all_without_a_word() -> None:
    works: dict[str, Coroutine[Any, Any, None]] = {"one": for_ever(), "other": for_ever()}
    async with asyncio.TaskGroup() as tasks:
        whole = tasks.create_task(run_forever(works))
        await asyncio.sleep(0)
        whole.cancel()
    assert whole.cancelled()


async def _time_limits_work() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await for_ever()
