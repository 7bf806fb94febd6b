"""A counter on the shared Redis, and one behind the proxy."""

from collections.abc import AsyncIterator

import pytest
from pw_intake import Counter, open_counter
from pw_servers import RedisServer


@pytest.fixture
async def counter(live_redis: RedisServer) -> AsyncIterator[Counter]:
    """Empty at first; nothing may be left on the way at the end."""
    async with open_counter(live_redis.url) as opened:
        yield opened
        assert await opened.on_the_way() == 0
