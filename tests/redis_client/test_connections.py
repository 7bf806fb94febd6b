"""The two defects of redis-py's connections that ours do not have."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from pw_servers import RedisServer
from redis import exceptions as rx

from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.redis_client import RedisClient, open_redis_client
from pageworker_supervisor.redis_client.connections import TcpConnection


@asynccontextmanager
async def opened(url: str, ca_file: Path | None = None) -> AsyncIterator[RedisClient]:
    async with open_redis_client(RedisSettings(url=url, ca_file=ca_file), Path("/nonexistent")) as redis_client:
        yield redis_client


@pytest.mark.timeout(20)
async def test_a_cancellation_is_never_swallowed(live_redis: RedisServer) -> None:
    """Cancelled in each turn of the event loop that a command takes. With plain redis-py the task never ends."""
    async with opened(live_redis.url) as redis_client:
        for command in (
            lambda: redis_client.send("PING", key="k"),
            lambda: redis_client.send_together([("PING",)] * 2, key="k"),
        ):
            await command()
            for turns in range(12):
                async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
                    asking = tasks.create_task(send_forever(command))
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    asking.cancel()


async def send_forever(command: Callable[[], Awaitable[object]]) -> None:
    """Send the command until cancelled."""
    while True:
        await command()


def test_a_write_to_a_closed_connection_is_a_lost_connection(live_redis: RedisServer) -> None:
    """uvloop raises RuntimeError, which ended workers."""

    async def lose() -> None:
        # Any: the writer is not declared in redis-py's types.
        connection: Any = TcpConnection(host="127.0.0.1", port=live_redis.port, protocol=2)
        await connection.connect()
        writer = connection._writer
        writer.transport.abort()
        await writer.wait_closed()
        with pytest.raises(rx.ConnectionError):
            await connection.send_command("PING")
        await connection.disconnect()

    uvloop.run(lose())
