"""Calls to several shards: errors are raised as callers expect them."""

import asyncio

import pytest

from pageworker_supervisor.redis_client.errors import RedisUnavailable
from pageworker_supervisor.redis_client.fan_out import fan_out


async def fail(error: Exception) -> None:
    raise error


async def nothing() -> None:
    await asyncio.sleep(0)


async def test_an_error_of_redis_is_raised_itself() -> None:
    with pytest.raises(RedisUnavailable, match="the first"):
        await fan_out([nothing(), fail(RedisUnavailable("the first")), fail(RedisUnavailable("the second"))])


async def test_a_bug_is_not_taken_for_an_outage() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await fan_out([fail(RedisUnavailable("away")), fail(KeyError("a bug"))])
    assert caught.value.subgroup(KeyError) is not None


async def test_a_failure_ends_the_others() -> None:
    forever = asyncio.Event().wait()

    async def wait() -> None:
        await forever

    with pytest.raises(RedisUnavailable):
        await fan_out([wait(), fail(RedisUnavailable("away"))])


async def test_a_failure_leaves_its_caller_uncancelled() -> None:
    """A task that stays marked as cancelled would be ended silently by its next timeout."""
    with pytest.raises(RedisUnavailable):
        await fan_out([asyncio.sleep(0), fail(RedisUnavailable("away"))])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.Event().wait()


async def test_what_was_cancelled_is_not_taken_for_done() -> None:
    async def stray() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await fan_out([nothing(), stray()])


async def test_its_cancellation_ends_all_calls() -> None:
    ended = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    async with asyncio.TaskGroup() as tasks:
        whole = tasks.create_task(fan_out([wait(), wait()]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        whole.cancel()
    assert whole.cancelled()
    assert len(ended) == 2
