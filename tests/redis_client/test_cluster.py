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


async def kept(link: RedisClient, key: str, value: int) -> None:
    """A write that may be made twice."""
    await link.availability.retry_until_available(lambda: link.send("SET", key, value, key=key))


async def test_commands_go_where_their_key_is(live_cluster: Cluster) -> None:
    async with open_redis_client(RedisSettings(url=live_cluster.url), Path("/nonexistent")) as link:
        assert link.is_cluster
        assert await link.has_replicas()
        for i, key in enumerate(KEYS):
            assert await link.pipe([("SET", key, i), ("GET", key)], key=key) == [True, str(i).encode()]
        assert await link.send("BLMOVE", "{0}:a", "{0}:b", "LEFT", "RIGHT", 0.01, key="{0}:a", blocks=True) is None
        assert {node.connection_class for node in link.commands.get_nodes()} == {TcpConnection}
        assert sum(await link.primaries("DBSIZE")) == len(KEYS)
        assert {live_cluster.owner(live_cluster.slot(key)).port for key in KEYS} == {
            node.port for node in live_cluster.nodes
        }


async def test_a_moved_slot_is_found(live_cluster: Cluster) -> None:
    async with (
        open_redis_client(RedisSettings(url=live_cluster.url), Path("/nonexistent")) as link,
        asyncio.TaskGroup() as tasks,
    ):
        watching = tasks.create_task(link.availability.run())
        slot = live_cluster.slot(KEYS[0])
        await kept(link, KEYS[0], 0)
        home = live_cluster.owner(slot)
        away = next(node for node in live_cluster.nodes if node is not home)
        for target in (away, home):
            moving = tasks.create_task(asyncio.to_thread(live_cluster.migrate_slot, slot, target))
            while not moving.done():
                await kept(link, KEYS[0], 1)
            await kept(link, KEYS[0], 2)
            assert target.command("GET", KEYS[0]) == b"2"
        watching.cancel()


async def test_a_failover_is_followed(live_cluster: Cluster) -> None:
    async with (
        open_redis_client(RedisSettings(url=live_cluster.url), Path("/nonexistent")) as link,
        asyncio.TaskGroup() as tasks,
    ):
        watching = tasks.create_task(link.availability.run())
        for key in KEYS:
            await kept(link, key, 1)
        moving = tasks.create_task(asyncio.to_thread(live_cluster.failover, 1))
        while not moving.done():
            for key in KEYS:
                await kept(link, key, 2)
        for key in KEYS:
            assert await link.availability.retry_until_available(partial(link.send, "GET", key, key=key)) == b"2"
        watching.cancel()


async def test_a_node_that_is_being_added_is_found(live_cluster: Cluster) -> None:
    """It has no slots yet, so nothing but an ASK speaks of it; and it has none of our functions."""
    key = "pw:{0}"
    slot = live_cluster.slot(key)
    home = live_cluster.owner(slot)
    with newcomer(live_cluster) as new:
        async with open_redis_client(RedisSettings(url=live_cluster.url), Path("/nonexistent")) as link:
            queue = QueueClient(link.commands, link.blocking(), shards=1, options=QueueOptions())
            await queue.load()
            live_cluster.start_migration(slot, new)
            assert await link.send("SET", f"{key}:x", 1, key=f"{key}:x") is True
            with pytest.raises(RedisUnavailable):
                await queue.producer.enqueue([ticket("j1", "acme")])
            live_cluster.migrate_slot(slot, new)
            assert await link.availability.retry_until_available(
                partial(queue.producer.enqueue, [ticket("j1", "acme")])
            ) == ["queued"]
            assert new.command("CLUSTER", "COUNTKEYSINSLOT", slot) > 1
            live_cluster.migrate_slot(slot, home)
            assert await link.availability.retry_until_available(
                partial(queue.producer.enqueue, [ticket("j2", "acme")])
            ) == ["queued"]
