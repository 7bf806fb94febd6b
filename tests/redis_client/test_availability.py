"""What is repeated at once, and what waits until Redis serves."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from pageworker_supervisor.redis_client import availability as module
from pageworker_supervisor.redis_client.availability import (
    FRESH_SECONDS,
    LONGEST_DELAY_SECONDS,
    Availability,
    longest_delay,
    no_repair,
    once_more,
    retry,
)
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


class ProbedRedis:
    """Fails as the test says, and counts its probes."""

    def __init__(self) -> None:
        self.asked = 0
        self.failures: list[Exception] = []

    async def __call__(self) -> None:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)


@pytest.fixture
def probe() -> ProbedRedis:
    return ProbedRedis()


@pytest.fixture
async def availability(probe: ProbedRedis, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Availability]:
    """One that runs, without waiting between probes."""
    monkeypatch.setattr(random, "uniform", lambda low, high: low)
    watched = Availability(probe)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(watched.run())
        yield watched
        running.cancel()


def test_delays_grow_to_a_cap() -> None:
    delays = [longest_delay(failures) for failures in range(40)]
    assert delays == sorted(delays)
    assert delays[0] <= 0.1
    assert delays[-1] == LONGEST_DELAY_SECONDS


async def test_up_until_a_failure_is_reported(availability: Availability, probe: ProbedRedis) -> None:
    assert availability.up
    await availability.wait_up()
    assert probe.asked == 0


@pytest.mark.timeout(10)
async def test_comes_back_with_the_first_probe_that_is_answered(availability: Availability, probe: ProbedRedis) -> None:
    probe.failures = [RedisUnavailable("a"), Denied("b", "c"), RedisRefused("d"), TimeoutError()]
    availability.down("cut off")
    assert not availability.up
    await availability.wait_up()
    assert probe.asked == 5


async def test_failures_soon_after_coming_up_keep_the_delay_growing(
    availability: Availability, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[float] = []

    def draw(_: float, high: float) -> float:
        drawn.append(high)
        return 0.0

    monkeypatch.setattr(random, "uniform", draw)
    for _ in range(6):
        availability.down("it answers PING and refuses writes")
        await availability.wait_up()
    assert drawn == sorted(drawn)
    assert drawn[-1] >= 8 * drawn[0]


async def test_repeats_until_served_but_not_after_a_bug(availability: Availability) -> None:
    answers: list[Exception | str] = [RedisUnavailable("x"), RedisUnavailable("y"), "done", RedisRefused("bug")]

    async def call() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await availability.retry_until_available(call) == "done"
    with pytest.raises(RedisRefused):
        await availability.retry_until_available(call)


async def test_reports_every_change(probe: ProbedRedis) -> None:
    seen: list[bool] = []
    watched = Availability(probe, seen.append)
    watched.down("a")
    watched.down("b")
    assert watched.reason == "b"
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(watched.run())
        await watched.wait_up()
        running.cancel()
    assert seen == [False, True]


async def test_a_result_of_a_moment_ago_is_not_probed_again(
    availability: Availability, probe: ProbedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often `/readyz` is asked. With 3600 s in place of 0.25 the host's speed does not matter."""
    availability._probed_at -= FRESH_SECONDS
    await availability.probe_now()
    assert probe.asked == 1
    monkeypatch.setattr(module, "FRESH_SECONDS", 3600.0)
    for _ in range(10):
        await availability.probe_now()
    assert probe.asked == 1


async def test_without_questions_it_is_probed_all_the_same(probe: ProbedRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBE_INTERVAL_SECONDS", 0.01)
    probe.failures = [OutOfMemory("full")]
    watched = Availability(probe)
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(10):
        running = tasks.create_task(watched.run())
        while not watched.trouble:  # noqa: ASYNC110 - nothing reports it
            await asyncio.sleep(0)
        running.cancel()
