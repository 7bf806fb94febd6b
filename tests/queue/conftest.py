"""A queue on the shared Redis. After each test everything derived in it must still add up."""

from collections.abc import AsyncIterator

import pytest
from pw_queue import QueueHarness, open_harness
from pw_servers import RedisServer
from pw_servers.fixtures import live_cluster, live_redis, proxied_redis, shared_cluster, shared_redis

__all__ = ["live_cluster", "live_redis", "proxied_redis", "shared_cluster", "shared_redis"]


@pytest.fixture
async def harness(live_redis: RedisServer) -> AsyncIterator[QueueHarness]:
    """One shard."""
    async with open_harness(live_redis.port) as opened:
        yield opened
        assert await opened.queue.inspection.check_consistency() == []
