"""The retry loop: what is repeated, how often, and with which repair before."""

import pytest

from pageworker_supervisor.redis_client.errors import (
    ConnectionLost,
    Denied,
    FunctionMissing,
    GroupMissing,
    NotReplicated,
    OutOfMemory,
    RedisClientError,
    RedisRefused,
    RedisUnavailable,
    RightMissing,
    WrongType,
)
from pageworker_supervisor.redis_client.retry import no_repair, once_more, retry

ERRORS: list[RedisClientError] = [
    ConnectionLost("x"),
    FunctionMissing("x"),
    GroupMissing("x"),
    NotReplicated("x"),
    RedisUnavailable("x"),
    OutOfMemory("x"),
    Denied("x", "y"),
    RightMissing("x", "y"),
    RedisRefused("x"),
    WrongType("x"),
]


class ScriptedCall:
    """Raises these errors one after the other, then returns "done"."""

    def __init__(self, *errors: RedisClientError) -> None:
        self._errors = list(errors)
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self._errors:
            raise self._errors.pop(0)
        return "done"


async def test_a_call_that_succeeds_is_made_once() -> None:
    call = ScriptedCall()
    assert await retry(call, once_more({ConnectionLost: no_repair})) == "done"
    assert call.calls == 1


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_only_listed_errors_are_repeated_at_once(error: RedisClientError) -> None:
    call = ScriptedCall(error)
    before_retry = once_more({ConnectionLost: no_repair, FunctionMissing: no_repair})
    if isinstance(error, ConnectionLost | FunctionMissing):
        assert await retry(call, before_retry) == "done"
        assert call.calls == 2
    else:
        with pytest.raises(type(error)) as raised:
            await retry(call, before_retry)
        assert raised.value is error
        assert call.calls == 1


async def test_the_second_failure_is_raised_whatever_it_is() -> None:
    call = ScriptedCall(FunctionMissing("x"), ConnectionLost("y"))
    with pytest.raises(ConnectionLost):
        await retry(call, once_more({ConnectionLost: no_repair, FunctionMissing: no_repair}))
    assert call.calls == 2


async def test_the_repair_of_the_error_runs_before_the_second_try() -> None:
    order: list[str] = []

    async def load() -> None:
        order.append("load")

    async def create() -> None:
        order.append("create")

    call = ScriptedCall(FunctionMissing("x"))
    assert await retry(call, once_more({FunctionMissing: load, GroupMissing: create})) == "done"
    assert order == ["load"]


async def test_a_repair_that_fails_ends_the_loop() -> None:
    async def load() -> None:
        raise OutOfMemory("full")

    call = ScriptedCall(FunctionMissing("x"))
    with pytest.raises(OutOfMemory):
        await retry(call, once_more({FunctionMissing: load}))
    assert call.calls == 1


async def test_the_loop_counts_failures_until_before_retry_raises() -> None:
    seen: list[int] = []

    async def before_retry(error: RedisClientError, failures: int) -> None:
        seen.append(failures)
        if failures == 3:
            raise error

    with pytest.raises(RedisUnavailable):
        await retry(ScriptedCall(*[RedisUnavailable("x")] * 9), before_retry)
    assert seen == [0, 1, 2, 3]
