"""Token buckets against a clock that the test moves, and CPU budgets: a peer over its share waits, others do not."""

import asyncio
import time

from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.wire.token_bucket import CpuBudget, TokenBucket


@given(st.lists(st.floats(0, 0.5), max_size=200), st.floats(0.5, 50), st.floats(1, 20))
def test_a_bucket_never_gives_more_than_its_burst_and_rate(gaps: list[float], rate: float, burst: float) -> None:
    bucket, now, given_out = TokenBucket(rate, burst, 0.0), 0.0, 0
    for gap in gaps:
        now += gap
        given_out += bucket.take(now)
        assert given_out <= burst + rate * now + 1e-6


def test_time_pays_a_debt() -> None:
    bucket = TokenBucket(0.5, 1.0, 0.0)
    bucket.spend(3.0, 0.0)
    assert bucket.debt(0.0) == 4.0
    assert bucket.debt(3.0) == 1.0
    assert bucket.debt(5.0) == 0.0


def test_unused_tokens_are_kept_up_to_the_burst() -> None:
    bucket = TokenBucket(1.0, 3.0, 0.0)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]


async def test_a_peer_over_its_share_waits_and_another_does_not() -> None:
    busy, idle = CpuBudget(0.5, 0.0, 0.001), CpuBudget(0.5, 0.0, 0.001)
    busy.spend(time.perf_counter() - 0.05)
    began = time.perf_counter()
    await idle.turn()
    assert time.perf_counter() - began < 0.05
    await busy.turn()
    assert time.perf_counter() - began >= 0.09  # 0.05 s of use at half a core


async def test_the_burst_is_free() -> None:
    budget = CpuBudget(0.01, 10.0, 0.001)
    budget.spend(time.perf_counter() - 5.0)
    async with asyncio.timeout(1):
        await budget.turn()


async def test_waiters_that_wake_together_check_again() -> None:
    budget = CpuBudget(1.0, 0.0, 0.001)
    turns: list[float] = []

    async def work() -> None:
        await budget.turn()
        turns.append(time.perf_counter())
        budget.spend(time.perf_counter() - 0.03)

    budget.spend(time.perf_counter() - 0.03)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(work())
    assert turns[2] - turns[0] >= 0.05
