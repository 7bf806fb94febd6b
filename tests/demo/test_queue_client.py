"""The queue's client over a real Redis: what is pushed and read has the contract's names."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pw_servers.standalone import RedisServer, redis_server
from redis.asyncio import Redis

from pageworker_demo.queue_client import DemoQueueClient
from pageworker_demo.run import plain_redis
from pageworker_supervisor.contract.job import JobRef


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[Redis]:
    async with plain_redis(server.port) as redis:
        yield redis


async def test_a_push_goes_to_the_head_of_the_inbox(redis: Redis) -> None:
    client = DemoQueueClient(redis)
    await client.push("one")
    await client.push("two")
    # Any: redis-py types the reply as an awaitable or a list.
    untyped: Any = redis
    assert await untyped.lrange("pw:inbox", 0, -1) == [b"two", b"one"]


async def test_results_are_read_from_the_first_on_and_as_they_come(redis: Redis) -> None:
    client = DemoQueueClient(redis)
    await redis.xadd("pw:{0}:results", {"result": json.dumps({"n": 1})})
    results = client.results()
    assert await anext(results) == {"n": 1}
    async with asyncio.TaskGroup() as tasks:

        async def read_next() -> object:
            return await anext(results)

        second = tasks.create_task(read_next())
        await redis.xadd("pw:{0}:results", {"result": json.dumps({"n": 2})})
        assert await second == {"n": 2}
    assert await client.all_results() == [{"n": 1}, {"n": 2}]


async def test_stored_results_and_dead_letters_are_read_by_their_keys(redis: Redis) -> None:
    client = DemoQueueClient(redis)
    await redis.set("pw:result:acme:j1", json.dumps({"job_id": "j1"}))
    assert await client.stored_results([JobRef("acme", "j1"), JobRef("acme", "j2")]) == [{"job_id": "j1"}, None]
    await redis.xadd("pw:{0}:dead", {"job": "[object Object]", "reason": "not JSON"})
    assert await client.dead_letters() == [b"[object Object] not JSON"]


async def test_reading_can_be_cancelled_at_any_moment(redis: Redis) -> None:
    """redis-py on Python 3.11 loses a cancellation that comes while a command is sent. The demo then never ended."""
    await redis.ping()
    for turns in range(12):
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            collecting = tasks.create_task(collect(redis))
            for _ in range(turns):
                await asyncio.sleep(0)
            collecting.cancel()


async def collect(redis: Redis) -> None:
    """Read without end."""
    async for _ in DemoQueueClient(redis).results():
        pass
