"""Waiting for Redis: when it begins, how long it lasts, and when it ends."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from pageworker_supervisor.redis_client.availability import LONGEST_DELAY_SECONDS, Availability, longest_delay
from pageworker_supervisor.redis_client.errors import Denied, RedisRefused, RedisUnavailable


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
