"""A cluster: every command where its key is, while slots move and primaries change."""

import asyncio
from functools import partial
from pathlib import Path

import pytest
from pw_queue import ticket
from pw_servers import Cluster, newcomer

from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.options import QueueOptions
from pageworker_supervisor.redis_client import RedisClient, open_redis_client
from pageworker_supervisor.redis_client.connections import TcpConnection
from pageworker_supervisor.redis_client.errors import RedisUnavailable

KEYS = [f"{{{i}}}:k" for i in range(40)]


async def kept(redis_client: RedisClient, key: str, value: int) -> None:
    """A write that may be made twice."""
    await redis_client.availability.retry_until_available(lambda: redis_client.send("SET", key, value, key=key))


async def test_commands_go_where_their_key_is(live_cluster: Cluster) -> None:
    async with open_redis_client(RedisSettings(url=live_cluster.url), Path("/nonexistent")) as redis_client:
        assert redis_client.is_cluster
        assert await redis_client.has_replicas()
        for i, key in enumerate(KEYS):
            assert await redis_client.send_together([("SET", key, i), ("GET", key)], key=key) == [True, str(i).encode()]
        assert (
            await redis_client.send("BLMOVE", "{0}:a", "{0}:b", "LEFT", "RIGHT", 0.01, key="{0}:a", blocks=True) is None
        )
        assert {node.connection_class for node in redis_client.commands.get_nodes()} == {TcpConnection}
        assert sum(await redis_client.send_to_primaries("DBSIZE")) == len(KEYS)
        assert {live_cluster.owner(live_cluster.slot(key)).port for key in KEYS} == {
            node.port for node in live_cluster.nodes
        }


async def test_a_moved_slot_is_found(live_cluster: Cluster) -> None:
    async with (
        open_redis_client(RedisSettings(url=live_cluster.url), Path("/nonexistent")) as redis_client,
        asyncio.TaskGroup() as tasks,
    ):
        watching = tasks.create_task(redis_client.availability.run())
        slot = live_cluster.slot(KEYS[0])
        await kept(redis_client, KEYS[0], 0)
        home = live_cluster.owner(slot)
        away = next(node for node in live_cluster.nodes if node is not home)
        for target in (away, home):
            moving = tasks.create_task(asyncio.to_thread(live_cluster.migrate_slot, slot, target))
            while not moving.done():
                await kept(redis_client, KEYS[0], 1)
            await kept(redis_client, KEYS[0], 2)
            assert target.command("GET", KEYS[0]) == b"2"
        watching.cancel()


async def test_a_failover_is_followed(live_cluster: Cluster) -> None:
    async with (
        open_redis_client(RedisSettings(url=live_cluster.url), Path("/nonexistent")) as redis_client,
        asyncio.TaskGroup() as tasks,
    ):
        watching = tasks.create_task(redis_client.availability.run())
        for key in KEYS:
            await kept(redis_client, key, 1)
        moving = tasks.create_task(asyncio.to_thread(live_cluster.failover, 1))
        while not moving.done():
            for key in KEYS:
                await kept(redis_client, key, 2)
        for key in KEYS:
            assert (
                await redis_client.availability.retry_until_available(partial(redis_client.send, "GET", key, key=key))
                == b"2"
            )
        watching.cancel()


async def test_a_node_that_is_being_added_is_found(live_cluster: Cluster) -> None:
    """It has no slots yet, so nothing but an ASK speaks of it; and it has none of our functions."""
    key = "pw:{0}"
    slot = live_cluster.slot(key)
    home = live_cluster.owner(slot)
    with newcomer(live_cluster) as new:
        async with open_redis_client(RedisSettings(url=live_cluster.url), Path("/nonexistent")) as redis_client:
            queue = QueueClient(redis_client, shards=1, options=QueueOptions())
            await queue.load()
            live_cluster.start_migration(slot, new)
            assert await redis_client.send("SET", f"{key}:x", 1, key=f"{key}:x") is True
            with pytest.raises(RedisUnavailable):
                await queue.producer.enqueue([ticket("j1", "acme")])
            live_cluster.migrate_slot(slot, new)
            assert await redis_client.availability.retry_until_available(
                partial(queue.producer.enqueue, [ticket("j1", "acme")])
            ) == ["queued"]
            assert new.command("CLUSTER", "COUNTKEYSINSLOT", slot) > 1
            live_cluster.migrate_slot(slot, home)
            assert await redis_client.availability.retry_until_available(
                partial(queue.producer.enqueue, [ticket("j2", "acme")])
            ) == ["queued"]
