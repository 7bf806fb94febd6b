"""redis-py's clients as they are set up: TLS, sockets, time limits, and no repetition."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pw_servers import RedisServer, RespProxy, redis_server

from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.redis_client import RedisClient, open_redis_client
from pageworker_supervisor.redis_client.errors import RedisUnavailable


@asynccontextmanager
async def opened(url: str, ca_file: Path | None = None) -> AsyncIterator[RedisClient]:
    async with open_redis_client(RedisSettings(url=url, ca_file=ca_file), Path("/nonexistent")) as redis_client:
        yield redis_client


async def counted(server: RedisServer) -> int:
    return int(server.command("GET", "n") or 0)


async def test_tls() -> None:
    with redis_server(tls=True) as server:
        async with opened(server.url, server.ca_file) as redis_client:
            assert await redis_client.send("SET", "k", 1, key="k")
        async with opened(server.url) as distrustful:
            with pytest.raises(RedisUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
                await distrustful.send("PING", key="k")


async def test_unix_socket(tmp_path: Path) -> None:
    with redis_server(options=["--unixsocket", str(tmp_path / "s")]):
        async with opened(f"unix://{tmp_path}/s?db=2") as redis_client:
            assert await redis_client.send("SET", "k", 1, key="k")
            assert (await redis_client.commands.info("keyspace")).keys() == {"db2"}


async def test_a_block_outlasts_the_ordinary_socket_timeout(
    live_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pageworker_supervisor.redis_client.clients.COMMAND_SECONDS", 0.2)
    async with opened(live_redis.url) as redis_client:
        assert await redis_client.send("BLPOP", "nothing", 0.5, key="nothing", blocks=True) is None
        with pytest.raises(RedisUnavailable, match="Timeout"):
            await redis_client.send("BLPOP", "nothing", 0.5, key="nothing")


@pytest.mark.timeout(20)
async def test_a_block_ends_though_the_network_drops_everything(
    proxied_redis: RespProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """celery#8030, bullmq#2466: after a failover the consumer waited forever on a dead connection."""
    monkeypatch.setattr("pageworker_supervisor.redis_client.clients.BLOCKING_SECONDS", 0.3)
    async with opened(proxied_redis.url) as redis_client:
        await redis_client.send("PING", key="k", blocks=True)
        proxied_redis.stall()
        async with asyncio.timeout(2):
            with pytest.raises(RedisUnavailable):
                await redis_client.send("BLPOP", "nothing", 0.1, key="nothing", blocks=True)
        proxied_redis.heal()
        assert await redis_client.send("PING", key="k", blocks=True)


async def test_a_lost_reply_repeats_no_command(live_redis: RedisServer, proxied_redis: RespProxy) -> None:
    async with opened(proxied_redis.url) as redis_client:
        await redis_client.send("PING", key="n")
        proxied_redis.drop_reply(command="INCR")
        with pytest.raises(RedisUnavailable):
            await redis_client.send("INCR", "n", key="n")
        assert proxied_redis.dropped.is_set()
        assert await counted(live_redis) == 1
        assert await redis_client.send("INCR", "n", key="n") == 2


async def test_a_lost_reply_of_commands_sent_together_repeats_none(
    live_redis: RedisServer, proxied_redis: RespProxy
) -> None:
    async with opened(proxied_redis.url) as redis_client:
        proxied_redis.drop_reply(2, command="INCR")
        with pytest.raises(RedisUnavailable):
            await redis_client.send_together([("INCR", "n")] * 3, key="n")
        assert await counted(live_redis) == 3
