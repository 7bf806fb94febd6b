"""A queue on the shared Redis. After each test everything derived in it must still add up."""

from collections.abc import AsyncIterator

import pytest
from pw_queue import QueueBench, open_desk
from pw_servers import RedisServer
from pw_servers.fixtures import live_cluster, live_redis, proxied_redis, shared_cluster, shared_redis

__all__ = ["live_cluster", "live_redis", "proxied_redis", "shared_cluster", "shared_redis"]


@pytest.fixture
async def desk(live_redis: RedisServer) -> AsyncIterator[QueueBench]:
    """One shard."""
    async with open_desk(live_redis.port) as opened:
        yield opened
        assert await opened.engine.audit() == []
