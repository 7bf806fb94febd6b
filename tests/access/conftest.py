"""A queue on a Redis of the tests."""

from collections.abc import AsyncIterator

import pytest
from pw_queue import QueueHarness, open_harness
from pw_servers import RedisServer
from pw_servers.fixtures import live_redis, shared_redis

__all__ = ["live_redis", "shared_redis"]


@pytest.fixture
async def harness(live_redis: RedisServer) -> AsyncIterator[QueueHarness]:
    """One shard."""
    async with open_harness(live_redis.port) as opened:
        yield opened
