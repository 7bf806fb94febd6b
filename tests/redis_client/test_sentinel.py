"""Following the primary of a Sentinel group."""

import asyncio
from pathlib import Path

import pytest
from pw_servers import Sentinels, sentinel

from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.redis_client import RedisClient, open_redis_client
from pageworker_supervisor.redis_client.errors import RedisUnavailable


async def kept(redis_client: RedisClient, key: str, value: int) -> None:
    """A write that may be made twice."""
    await redis_client.availability.retry_until_available(lambda: redis_client.send("SET", key, value, key=key))


async def test_a_planned_failover_is_followed(live_sentinel: Sentinels) -> None:
    async with (
        open_redis_client(RedisSettings(url=live_sentinel.url), Path("/nonexistent")) as redis_client,
        asyncio.TaskGroup() as tasks,
    ):
        watching = tasks.create_task(redis_client.availability.run())
        await kept(redis_client, "k", 1)
        assert await redis_client.has_replicas()
        reading = tasks.create_task(redis_client.availability.retry_until_available(lambda: blocked(redis_client)))
        moving = tasks.create_task(asyncio.to_thread(live_sentinel.failover))
        written = 1
        while not moving.done():
            written += 1
            await kept(redis_client, "k", written)
        # The old primary takes writes, and loses them, until the sentinels demote it a second or two later.
        while not live_sentinel.primary.command("EXISTS", "k2"):
            await kept(redis_client, "k2", 1)
        await redis_client.availability.retry_until_available(
            lambda: redis_client.send("RPUSH", "list", "x", key="list")
        )
        assert await reading == (b"list", b"x")
        watching.cancel()


async def test_sentinels_have_a_password_of_their_own(live_sentinel: Sentinels, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("from-file\n")
    url = f"{live_sentinel.url}?sentinel_username=filed"
    settings = RedisSettings(url=url, sentinel_password_file=file)
    for each in live_sentinel.sentinels:
        each.command("ACL", "SETUSER", "filed", "on", ">from-file", "allchannels", "+@all")
    try:
        async with open_redis_client(settings, tmp_path) as redis_client:
            assert await redis_client.send("ACL", "WHOAMI", key="k") == b"default"
        names = [each.command("ACL", "LOG") for each in live_sentinel.sentinels]
        assert not any("filed" in str(entries) for entries in names)
        file.write_text("wrong\n")
        with pytest.raises(RedisUnavailable):
            async with open_redis_client(settings, tmp_path) as redis_client:
                await redis_client.send("ACL", "WHOAMI", key="k")
    finally:
        for each in live_sentinel.sentinels:
            each.command("ACL", "DELUSER", "filed")


async def blocked(redis_client: RedisClient) -> object:
    """A blocking read that is repeated until it brings something."""
    reply = await redis_client.send("BLPOP", "list", 2, key="list", blocks=True)
    if reply is None:
        raise RedisUnavailable("nothing yet")
    return reply


async def test_a_dead_primary_is_replaced() -> None:
    with sentinel() as group:
        async with (
            open_redis_client(RedisSettings(url=group.url), Path("/nonexistent")) as redis_client,
            asyncio.TaskGroup() as tasks,
        ):
            watching = tasks.create_task(redis_client.availability.run())
            await kept(redis_client, "k", 1)
            await asyncio.to_thread(group.wait_replicating)
            old = group.kill_primary()
            with pytest.raises(RedisUnavailable):
                await redis_client.send("GET", "k", key="k")
            await kept(redis_client, "k", 2)
            await asyncio.to_thread(group.wait_moved_from, old)  # the redis_client may have asked a quicker sentinel
            assert await redis_client.send("GET", "k", key="k") == b"2"
            watching.cancel()


async def test_no_sentinel_answers() -> None:
    url = "redis+sentinel://127.0.0.1:1,127.0.0.1:2/mymaster"
    async with open_redis_client(RedisSettings(url=url), Path("/nonexistent")) as redis_client:
        with pytest.raises(RedisUnavailable, match="No master found"):
            await redis_client.send("PING", key="k")


async def test_a_deployment_that_has_just_lost_its_replica_still_has_replicas(live_sentinel: Sentinels) -> None:
    """A worker that started in that moment told of results that the next failover undid."""
    async with open_redis_client(RedisSettings(url=live_sentinel.url), Path("/nonexistent")) as redis_client:
        replica = live_sentinel.replica
        replica.command("REPLICAOF", "NO", "ONE")
        while await redis_client.replicas():
            assert replica.command("PING")
        assert await redis_client.has_replicas()
        live_sentinel.wait_replicating()


@pytest.mark.parametrize(("content", "served"), [("right", True), ("wrong", False)])
async def test_sentinels_have_a_password_file_of_their_own(
    live_sentinel: Sentinels, tmp_path: Path, content: str, served: bool
) -> None:
    file = tmp_path / "sentinel.password"
    file.write_text(f"{content}\n")
    for each in live_sentinel.sentinels:
        each.command("ACL", "SETUSER", "watcher", "on", ">right", "allchannels", "+@all")
    url = f"{live_sentinel.url}?sentinel_username=watcher"
    try:
        async with open_redis_client(RedisSettings(url=url, sentinel_password_file=file), tmp_path) as redis_client:
            if served:
                assert await redis_client.send("SET", "k", 1, key="k")
            else:
                with pytest.raises(RedisUnavailable):
                    await redis_client.send("SET", "k", 1, key="k")
    finally:
        for each in live_sentinel.sentinels:
            each.command("ACL", "DELUSER", "watcher")
