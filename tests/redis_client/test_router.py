"""One router: the primary that owns a key gets the command, also while slots move."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pw_servers import Cluster, RedisServer

from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.redis_client import RedisClient, open_redis_client
from pageworker_supervisor.redis_client.errors import OutOfMemory, RedisRefused

KEY = "{7}:k"


@pytest.fixture
async def router(live_cluster: Cluster) -> AsyncIterator[RedisClient]:
    async with open_redis_client(RedisSettings(url=live_cluster.url), Path("/nonexistent")) as redis_client:
        yield redis_client


async def test_commands_sent_together_share_a_connection(router: RedisClient) -> None:
    first, second = await router.send_together([("CLIENT", "ID"), ("CLIENT", "ID")], key=KEY)
    assert first == second


async def test_wait_counts_the_write_before_it(router: RedisClient) -> None:
    assert await router.send_together([("SET", KEY, 1), ("WAIT", 1, 5000)], key=KEY) == [True, 1]


async def test_commands_sent_together_follow_a_slot_that_moves(router: RedisClient, live_cluster: Cluster) -> None:
    slot = live_cluster.slot(KEY)
    home = live_cluster.owner(slot)
    target = next(node for node in live_cluster.primaries() if node is not home)
    await router.send_together([("SET", KEY, 1), ("GET", KEY)], key=KEY)
    live_cluster.start_migration(slot, target)
    # A key that is not there any more is asked for at the target: the first two are redirected by ASK.
    absent = "{7}:absent"
    assert await router.send_together([("SET", absent, 2), ("GET", absent)], key=absent) == [True, b"2"]
    assert await router.send_together([("GET", KEY), ("GET", absent)], key=KEY) == [b"1", b"2"]
    live_cluster.migrate_slot(slot, target)
    assert await router.send_together([("INCR", KEY), ("GET", absent)], key=KEY) == [2, b"2"], "MOVED is followed"
    assert (await router.primary_of(KEY)).endswith(f":{target.port}"), "and remembered"
    live_cluster.migrate_slot(slot, home)


async def test_an_error_reply_leaves_the_connection_in_step(router: RedisClient) -> None:
    with pytest.raises(RedisRefused):
        await router.send_together([("SET", KEY, "text"), ("INCR", KEY), ("GET", KEY)], key=KEY)
    assert await router.send_together([("GET", KEY)], key=KEY) == [b"text"]


async def test_every_primary_gets_a_command_though_one_fails(router: RedisClient, live_cluster: Cluster) -> None:
    """The functions must reach the primaries that answer."""
    library = "#!lua name=reached\nredis.register_function('reached', function() end)"
    await router.send("PING", key=KEY)
    full, *others = live_cluster.primaries()
    full.command("CONFIG", "SET", "maxmemory", "1")
    try:
        with pytest.raises(OutOfMemory):
            await router.send_to_primaries("FUNCTION LOAD", "REPLACE", library)
        assert len(others) > 1
        assert all(node.command("FUNCTION", "LIST", "LIBRARYNAME", "reached") for node in others)
    finally:
        full.command("CONFIG", "SET", "maxmemory", "0")
        for node in others:
            node.command("FUNCTION", "DELETE", "reached")


async def test_a_standalone_server_is_every_keys_primary(live_redis: RedisServer) -> None:
    async with open_redis_client(RedisSettings(url=live_redis.url), Path("/nonexistent")) as router:
        assert await router.primary_of("any") == ""
        assert await router.send_to_primaries("PING") == [True]
        assert await router.send_together([("SET", "k", 1), ("GET", "k")], key="k") == [True, b"1"]


async def test_a_cancelled_call_leaves_no_reply_for_the_next(router: RedisClient, live_cluster: Cluster) -> None:
    await router.send_together([("SET", KEY, 1)], key=KEY)
    node = live_cluster.owner(live_cluster.slot(KEY))
    node.command("CLIENT", "PAUSE", 60_000, "WRITE")
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await router.send_together([("SET", KEY, 2), ("PING",)], key=KEY)
    finally:
        node.command("CLIENT", "UNPAUSE")
    assert await router.send_together([("PING",), ("SET", KEY, 3), ("GET", KEY)], key=KEY) == [True, True, b"3"]
