"""A queue on a real Redis, which commands reach by their configuration."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from pw_queue import QueueHarness, open_harness
from pw_servers import RedisServer

T = TypeVar("T")
OnQueue = Callable[[Callable[[QueueHarness], Awaitable[object]]], None]


@pytest.fixture
def on_queue(live_redis: RedisServer, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> OnQueue:
    """Runs something on the queue that commands use. A synchronous test: commands bring their own event loop."""
    monkeypatch.setenv("PAGEWORKER_REDIS__URL", live_redis.url)
    monkeypatch.setenv("PAGEWORKER_WORKER__DATA_DIR", str(tmp_path))

    def run(action: Callable[[QueueHarness], Awaitable[object]]) -> None:
        async def inside() -> None:
            async with open_harness(live_redis.port) as harness:
                await action(harness)

        asyncio.run(inside())

    return run
