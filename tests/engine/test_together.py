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
