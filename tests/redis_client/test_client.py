"""One deployment: cancelled commands, outages, denied users, a separate ingress."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pw_servers import RedisServer, RespProxy, redis_server

from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.redis_client import RedisClient, connect, open_redis_client
from pageworker_supervisor.redis_client.errors import Denied, OutOfMemory, RedisClientError, RedisUnavailable
from pageworker_supervisor.telemetry.metrics import Metrics


@asynccontextmanager
async def opened(url: str, ca_file: Path | None = None) -> AsyncIterator[RedisClient]:
    async with open_redis_client(RedisSettings(url=url, ca_file=ca_file), Path("/nonexistent")) as redis_client:
        yield redis_client


async def counted(server: RedisServer) -> int:
    return int(server.command("GET", "n") or 0)


async def test_commands_alone_and_together(live_redis: RedisServer) -> None:
    async with opened(live_redis.url) as redis_client:
        assert await redis_client.send("SET", "k", b"\xff", key="k")
        assert await redis_client.send_together([("GET", "k"), ("DEL", "k")], key="k") == [b"\xff", 1]
        assert not redis_client.is_cluster
        assert not await redis_client.has_replicas()


async def test_replicas_are_counted() -> None:
    with redis_server() as primary, redis_server(replica_of=primary) as replica:
        async with opened(primary.url) as redis_client:
            while not await redis_client.has_replicas():
                assert replica.command("PING")
            assert await redis_client.replicas() == 1


async def test_a_cancelled_command_leaves_no_reply_for_the_next(proxied_redis: RespProxy) -> None:
    async with opened(proxied_redis.url) as redis_client:
        await redis_client.send_together([("SET", f"k{i}", i) for i in range(5)], key="k")
        for i in range(5):
            for read in (
                lambda i=i: redis_client.send("GET", f"k{i}", key="k"),
                lambda i=i: redis_client.send_together([("GET", f"k{i}"), ("GET", "k0")], key="k"),
            ):
                await redis_client.send("PING", key="k")  # so that it is the command that is cut short, not a handshake
                proxied_redis.delay(0.5)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.02):
                        await read()
                proxied_redis.heal()
                assert await redis_client.send("GET", "k4", key="k") == b"4"
                assert await redis_client.send_together([("GET", "k3"), ("GET", "k2")], key="k") == [b"3", b"2"]


async def test_an_error_reply_among_others_keeps_its_kind(live_redis: RedisServer) -> None:
    """redis-py puts a sentence before the first word of the reply."""
    async with opened(live_redis.url) as redis_client:
        with pytest.raises(RedisUnavailable, match="NOGROUP"):
            await redis_client.send_together([("PING",), ("XPENDING", "nothing", "nobody")], key="nothing")


async def test_a_cancelled_blocking_read_takes_nothing_later(live_redis: RedisServer) -> None:
    async with opened(live_redis.url) as redis_client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await redis_client.send("BLMOVE", "a", "b", "LEFT", "RIGHT", 5, key="a", blocks=True)
        while await redis_client.send(
            "CLIENT", "LIST", "TYPE", "normal", key="a"
        ) and b"cmd=blmove" in live_redis.command("CLIENT", "LIST"):
            pass
        await redis_client.send("RPUSH", "a", "x", key="a")
        assert await redis_client.send("LLEN", "a", key="a") == 1


async def test_a_stopped_server_is_noticed_and_found_again() -> None:
    metrics = Metrics()
    with redis_server(aof=True) as server:
        async with open_redis_client(RedisSettings(url=server.url), Path("/nonexistent"), metrics) as redis_client:
            await redis_client.send("SET", "k", 1, key="k")
            server.stop()
            with pytest.raises(RedisUnavailable) as away:
                await redis_client.send("GET", "k", key="k")
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(redis_client.availability.run())
                redis_client.availability.down(str(away.value))
                assert metrics.registry.get_sample_value("pageworker_redis_up") == 0
                server.start()
                await redis_client.availability.wait_up()
                watching.cancel()
            assert await redis_client.send("GET", "k", key="k") == b"1"
            assert metrics.registry.get_sample_value("pageworker_redis_up") == 1
            assert metrics.registry.get_sample_value("pageworker_redis_reconnects_total") == 1


async def test_the_time_of_each_call_is_counted_by_operation_and_that_of_blocking_ones_is_not(
    live_redis: RedisServer,
) -> None:
    metrics = Metrics()

    def calls(operation: str) -> float | None:
        return metrics.registry.get_sample_value("pageworker_redis_seconds_count", {"operation": operation})

    async with open_redis_client(RedisSettings(url=live_redis.url), Path("/nonexistent"), metrics) as redis_client:
        await redis_client.send("SET", "k", 1, key="k")
        await redis_client.send("GET", "k", key="k")
        with pytest.raises(RedisClientError):
            await redis_client.send("GET", "k", "too many", key="k")
        await redis_client.send_together([("INCR", "k"), ("GET", "k")], key="k")
        await redis_client.send("BLPOP", "empty", 0.01, key="empty", blocks=True)
    assert (calls("set"), calls("get"), calls("incr"), calls("blpop")) == (1, 2, 1, None)


async def test_full_memory() -> None:
    with redis_server(maxmemory=1) as server:
        async with opened(server.url) as redis_client:
            with pytest.raises(OutOfMemory):
                await redis_client.send("SET", "k", "v", key="k")
            assert await redis_client.send("DEL", "k", key="k") == 0


@pytest.fixture
def locked(live_redis: RedisServer) -> Iterator[RedisServer]:
    """A server with a user who may only read `k`."""
    live_redis.command("ACL", "SETUSER", "reader", "on", ">p@ss", "~k", "+get", "+client|setname")
    yield live_redis
    live_redis.command("ACL", "DELUSER", "reader")


async def test_denied_users_are_told_what_to_do(locked: RedisServer) -> None:
    async with opened(f"redis://reader:p%40ss@127.0.0.1:{locked.port}") as redis_client:
        assert await redis_client.send("GET", "k", key="k") is None
        with pytest.raises(Denied, match=r"pageworker\.acl"):
            await redis_client.send("SET", "k", 1, key="k")
    async with opened(f"redis://reader:wrong@127.0.0.1:{locked.port}") as redis_client:
        with pytest.raises(Denied, match=r"check redis\.url or redis\.password_file"):
            await redis_client.send("GET", "k", key="k")


async def test_an_ingress_of_its_own(live_redis: RedisServer) -> None:
    with redis_server() as other:
        redis_client = connect(RedisSettings(url=live_redis.url, ingress_url=other.url))
        await redis_client.ingress.send("SET", "k", 1, key="k")
        await redis_client.aclose()
        assert other.command("GET", "k") == b"1"
        assert live_redis.command("GET", "k") is None


def test_a_bad_ingress_url_is_named() -> None:
    with pytest.raises(ConfigInvalid, match=r"redis\.ingress_url"):
        connect(RedisSettings(url="redis://h", ingress_url="redis://a,b"))
