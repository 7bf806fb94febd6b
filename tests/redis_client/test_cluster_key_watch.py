"""Notices of written keys, and commands for many keys, on a real Redis Cluster."""

import asyncio
from pathlib import Path

import pytest
from pw_servers.cluster import Cluster

from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.redis_client import RedisClient, open_redis_client
from pageworker_supervisor.redis_client.errors import WrongType

NAMES = [f"a:{number}" for number in range(12)]


async def heard(redis: RedisClient, names: set[bytes]) -> None:
    """Until these keys, and no others, are named by a watch; each is written once it is open."""
    watch = redis.key_watch("a:")
    try:
        async with asyncio.timeout(20):
            while await watch.changed(0.3) != set():
                pass
            for name in NAMES:
                await redis.send("RPUSH", name, "x", key=name)
            await redis.send("RPUSH", "c:1", "x", key="c:1")
            found = set[bytes]()
            while found < names:
                found |= await watch.changed(5) or set()
        assert found == names
        assert await watch.changed(0) == set()
    finally:
        await watch.aclose()


async def test_every_primary_tells_and_many_commands_go_together(live_cluster: Cluster) -> None:
    """Also where a slot is on its way to another primary, and where the primaries have changed."""
    async with open_redis_client(RedisSettings(url=live_cluster.url), Path("/nonexistent")) as redis:
        everything = {name.encode() for name in NAMES}
        assert len({await redis.primary_of(name) for name in NAMES}) == 3
        await heard(redis, everything)
        slot = live_cluster.slot(NAMES[0])
        away = next(node for node in live_cluster.primaries() if node is not live_cluster.owner(slot))
        lengths = [(name, ("LLEN", name)) for name in NAMES]
        assert await redis.send_each(lengths) == [1] * 12
        await asyncio.to_thread(live_cluster.migrate_slot, slot, away)
        assert await redis.send_each(lengths) == [1] * 12
        await heard(redis, everything)
        with pytest.raises(WrongType):
            await redis.send_each([*lengths, (NAMES[1], ("GET", NAMES[1]))])
        assert await redis.send_each(lengths) == [2] * 12
