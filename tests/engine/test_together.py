"""Calls to several shards: errors come out as callers look for them."""

import asyncio

import pytest

from pageworker_supervisor.engine.errors import Unavailable
from pageworker_supervisor.engine.together import together


async def fail(error: Exception) -> None:
    raise error


async def nothing() -> None:
    await asyncio.sleep(0)


async def test_what_the_engine_says_comes_out_as_it_is() -> None:
    with pytest.raises(Unavailable, match="the first"):
        await together([nothing(), fail(Unavailable("the first")), fail(Unavailable("the second"))])


async def test_a_bug_is_not_taken_for_an_outage() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await together([fail(Unavailable("away")), fail(KeyError("a bug"))])
    assert caught.value.subgroup(KeyError) is not None


async def test_a_failure_ends_the_others() -> None:
    forever = asyncio.Event().wait()

    async def wait() -> None:
        await forever

    with pytest.raises(Unavailable):
        await together([wait(), fail(Unavailable("away"))])


async def test_a_failure_leaves_its_caller_uncancelled() -> None:
    """Marked as being cancelled, a task would be ended by its next time limit, and nobody told."""
    with pytest.raises(Unavailable):
        await together([asyncio.sleep(0), fail(Unavailable("away"))])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.Event().wait()


async def test_what_was_cancelled_is_not_taken_for_done() -> None:
    async def stray() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await together([nothing(), stray()])


async def test_cancelled_it_ends_all() -> None:
    ended = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    async with asyncio.TaskGroup() as tasks:
        whole = tasks.create_task(together([wait(), wait()]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        whole.cancel()
    assert whole.cancelled()
    assert len(ended) == 2
