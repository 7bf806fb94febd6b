"""Notices of written keys, on a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pw_servers import RedisServer
from pw_servers.fixtures import live_redis, proxied_redis, shared_redis

from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.redis_client import RedisClient, open_redis_client
from pageworker_supervisor.redis_client.errors import ConnectionLost, Denied, RedisUnavailable
from pageworker_supervisor.redis_client.key_watch import KeyWatch

__all__ = ["live_redis", "proxied_redis", "shared_redis"]
SECONDS = 5.0


@pytest.fixture
async def redis(live_redis: RedisServer) -> AsyncIterator[RedisClient]:
    """A client of an empty Redis."""
    async with open_redis_client(RedisSettings(url=live_redis.url), Path("/nonexistent")) as opened:
        yield opened


@pytest.fixture
async def watch(redis: RedisClient) -> AsyncIterator[KeyWatch]:
    """Of `a:` and `b:`, connected."""
    opened = redis.key_watch("a:", "b:")
    assert isinstance(opened, KeyWatch)
    assert await opened.changed(SECONDS) is None, "what was written before the connection is not known"
    yield opened
    await opened.aclose()


async def test_written_keys_with_a_prefix_are_named(redis: RedisClient, watch: KeyWatch) -> None:
    await redis.send_together([("RPUSH", "c:1", "x"), ("RPUSH", "a:1", "x"), ("RPUSH", "a:1", "y")], key="a")
    await redis.send("XADD", "b:2", "*", "f", "v", key="a")
    found: set[bytes] = set()
    async with asyncio.timeout(SECONDS):
        while found != {b"a:1", b"b:2"}:
            found |= await watch.changed(SECONDS) or set()
    assert await watch.changed(0.01) == set()


async def test_a_notice_ends_the_wait(redis: RedisClient, watch: KeyWatch) -> None:
    async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(watch.changed(100))
        await redis.send("SET", "a:1", "x", key="a")
    assert waiting.result() == {b"a:1"}


async def test_an_emptied_database_is_not_known(redis: RedisClient, watch: KeyWatch) -> None:
    await redis.send("FLUSHALL", key="a")
    assert await watch.changed(SECONDS) is None


async def test_a_lost_connection_is_reported_and_replaced(redis: RedisClient, watch: KeyWatch) -> None:
    await redis.send("CLIENT", "KILL", "TYPE", "pubsub", key="a")
    with pytest.raises((ConnectionLost, RedisUnavailable)):
        await watch.changed(SECONDS)
    assert await watch.changed(SECONDS) is None
    await redis.send("SET", "a:1", "x", key="a")
    assert await watch.changed(SECONDS) == {b"a:1"}


async def test_a_frozen_redis_is_noticed(live_redis: RedisServer, watch: KeyWatch) -> None:
    assert await watch.changed(0.01) == set()
    assert await watch.changed(0.2) == set(), "it answered PING"
    live_redis.pause()
    try:
        with pytest.raises(ConnectionLost):
            for _ in range(3):  # the answer to the last PING may be there already
                await watch.changed(0.05)
    finally:
        live_redis.resume()


async def test_a_user_without_the_right_is_denied(redis: RedisClient, live_redis: RedisServer) -> None:
    await redis.send(
        *("ACL", "SETUSER", "few", "on", ">secret", "~*", "resetchannels", "+@all", "-client|tracking"), key="a"
    )
    url = live_redis.url.replace("redis://", "redis://few:secret@")
    async with open_redis_client(RedisSettings(url=url), Path("/nonexistent")) as limited:
        with pytest.raises(Denied):
            await limited.key_watch("a:").changed(SECONDS)
    await redis.send("ACL", "DELUSER", "few", key="a")
