"""Channels of a real Redis, over one connection that breaks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pw_servers import Cluster, RedisServer

from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.redis_client import channels, connect
from pageworker_supervisor.redis_client.channels import ChannelListener
from pageworker_supervisor.redis_client.errors import RedisUnavailable


class Heard:
    """Keeps what it hears, in order. A gap is None."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    def message(self, untrusted_text: bytes) -> None:
        self.queue.put_nowait(untrusted_text)

    def gap(self) -> None:
        self.queue.put_nowait(None)

    async def next(self) -> bytes | None:
        async with asyncio.timeout(30):
            return await self.queue.get()


@asynccontextmanager
async def listener(url: str) -> AsyncIterator[ChannelListener]:
    redis_client = connect(RedisSettings(url=url))
    under_test = ChannelListener(redis_client, "kept")
    try:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(under_test.run())
            yield under_test
            running.cancel()
    finally:
        await redis_client.aclose()


async def test_each_reader_hears_its_channel_once(live_redis: RedisServer) -> None:
    first, second = Heard(), Heard()
    async with listener(live_redis.url) as under_test:
        twice = under_test.listening("a", first), under_test.listening("a", first)
        async with twice[0], twice[1], under_test.listening("b", second):
            live_redis.command("PUBLISH", "a", "1")
            live_redis.command("PUBLISH", "b", "2")
            live_redis.command("PUBLISH", "a", "3")
            assert [await first.next(), await second.next(), await first.next()] == [b"1", b"2", b"3"]
            assert first.queue.empty()
        async with under_test.listening("a", second):
            live_redis.command("PUBLISH", "a", "4")
            assert await second.next() == b"4"
            assert first.queue.empty(), "it has left"


async def test_a_gap_is_told_once_the_channel_is_heard_again(live_redis: RedisServer) -> None:
    heard = Heard()
    async with listener(live_redis.url) as under_test, under_test.listening("a", heard):
        live_redis.command("CLIENT", "KILL", "TYPE", "pubsub")
        assert await heard.next() is None
        assert live_redis.command("PUBLISH", "a", "1") == 1, "it is subscribed already"
        assert await heard.next() == b"1"


async def test_channels_without_readers_are_left(live_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "SWEEP_SECONDS", 0.0)
    heard = Heard()
    async with listener(live_redis.url) as under_test:
        async with under_test.listening("a", Heard()):
            pass
        async with under_test.listening("b", heard):
            live_redis.command("PUBLISH", "b", "1")
            await heard.next()
            async with asyncio.timeout(30):
                while live_redis.command("PUBSUB", "NUMSUB", "a") != [b"a", 0]:
                    live_redis.command("PUBLISH", "b", "2")
                    await heard.next()
        async with under_test.listening("a", heard):
            live_redis.command("PUBLISH", "a", "again")
            async with asyncio.timeout(30):
                while await heard.next() != b"again":
                    pass


async def test_without_a_connection_no_reader_waits(live_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "CONFIRM_SECONDS", 0.05)
    redis_client = connect(RedisSettings(url=live_redis.url))
    under_test = ChannelListener(redis_client, "kept")
    with pytest.raises(RedisUnavailable):
        async with under_test.listening("a", Heard()):
            pytest.fail("it was never confirmed")
    await redis_client.aclose()


async def test_a_message_reaches_every_node_of_a_cluster(live_cluster: Cluster) -> None:
    heard = Heard()
    async with listener(live_cluster.url) as under_test, under_test.listening("a", heard):
        for node in live_cluster.nodes:
            node.command("PUBLISH", "a", "1")
            assert await heard.next() == b"1"
