"""CPU budgets: a peer over its share waits, the others do not."""

import asyncio
import time

from pageworker_sandbox.wire.cpu_budget import CpuBudget


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
