"""Whether a worker proves that its claim loop turns."""

import asyncio

import pytest
from pw_servers import RedisServer
from pw_worker import Echoes, nap


async def test_an_idle_and_a_busy_worker_make_rounds(worker: Echoes) -> None:
    assert await worker.worker.proves_progress(10)
    await worker.push(*(nap(f"j{n}", 400) for n in range(6)))
    await worker.until(lambda: bool(worker.worker.status().jobs))
    for _ in range(3):
        assert await worker.worker.proves_progress(10)
    await worker.answered(6)


async def test_a_drained_worker_makes_rounds(worker: Echoes) -> None:
    async for _ in worker.worker.drain(1):
        pass
    assert await worker.worker.proves_progress(10)


async def test_an_outage_of_redis_is_no_lack_of_progress(worker: Echoes, live_redis: RedisServer) -> None:
    live_redis.pause()
    try:
        async with asyncio.timeout(30):
            while not await worker.worker.proves_progress(0.2):
                pass  # the worker notices the outage only by a call that is not answered in time
    finally:
        live_redis.resume()
    async with asyncio.timeout(30):
        await worker.worker.refresh_readiness()
        assert await worker.worker.proves_progress(30)


async def test_a_claim_loop_that_hangs_is_noticed(worker: Echoes, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object) -> bool:
        await asyncio.Event().wait()
        return False

    monkeypatch.setattr(worker.components.dispatcher, "_claim", hang)
    async with asyncio.timeout(60):
        while await worker.worker.proves_progress(0.3):
            pass  # the claim under way ends first, and a busy host may be cut off from Redis for a moment
