"""A task that ends ends the worker, and the error names it."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from pageworker_supervisor.task_supervision import TaskExitedUnexpectedly, contained, run_forever
from pageworker_supervisor.telemetry import log


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


async def test_a_bug_is_contained_and_the_end_of_a_task_of_the_worker_is_not() -> None:
    records: list[Any] = []
    handler = log.add(lambda message: records.append(message.record))
    await contained(fails(), log)
    log.remove(handler)
    assert [(each["level"].name, each["message"]) for each in records] == [("ERROR", "a step of an attempt met a bug")]
    with pytest.raises(ExceptionGroup):
        await contained(run_forever({"ends": returns()}), log)


async def _time_limits_work() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await for_ever()
