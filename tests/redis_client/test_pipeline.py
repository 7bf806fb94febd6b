"""Several commands in one round trip: replies in order, and the first error as Redis sent it."""

import pytest
import redis.asyncio as redis
from pw_servers import RedisServer
from redis import exceptions as rx

from pageworker_supervisor.redis_client.pipeline import run_pipeline


async def test_replies_come_in_order_and_the_first_error_is_raised_as_it_came(live_redis: RedisServer) -> None:
    client = redis.Redis(port=live_redis.port)
    try:
        assert await run_pipeline(client, [("SET", "k", "text"), ("GET", "k"), ("STRLEN", "k")]) == [True, b"text", 4]
        with pytest.raises(rx.ResponseError, match=r"^value is not an integer"):
            await run_pipeline(client, [("INCR", "k"), ("SET", "k", "after"), ("HGET", "k", "f")])
        assert await client.get("k") == b"after", "the commands behind a failed one run: it is not a transaction"
    finally:
        await client.aclose()
