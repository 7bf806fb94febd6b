"""Killed processes, lost replies, stopped servers: counts in = counts out."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from pw_intake import QUICK, Counter, job, open_counter
from pw_servers import Cluster, RespProxy, Sentinels, redis_server

from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.intake.list_source import ProducerList
from pageworker_supervisor.intake.timing import IntakeTimeouts
from pageworker_supervisor.redis_client import connect

NO_UPKEEP = IntakeTimeouts(block_seconds=0.2, upkeep_seconds=3600)
"""What is lost must be found again at once, not only when another worker takes over."""

LOSABLE = [
    ("ZADD", NO_UPKEEP),
    ("BLMOVE", NO_UPKEEP),
    ("EVAL", NO_UPKEEP),
    ("XREADGROUP", NO_UPKEEP),
    ("FCALL", NO_UPKEEP),
    ("LRANGE", QUICK),
    ("EVAL", QUICK),
]


@asynccontextmanager
async def process(url: str, worker_id: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """An intake in another process, killed at the end of the block."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pw_intake", url, worker_id, env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield running
    finally:
        running.kill()
        await running.wait()


async def test_a_killed_intake_is_taken_over(counter: Counter) -> None:
    url, count = counter.redis_client.safe_url, 3000
    await counter.push(*(job(i, "list") for i in range(count)))
    await counter.add(*(job(i, "stream") for i in range(count)))
    async with process(url, "victim1"), process(url, "victim2"), asyncio.timeout(20):
        while not await counter.jobs():
            await counter.turn()
    assert await counter.jobs() < 2 * count, "they were killed too late to show anything"
    async with counter.intake("heir"):
        await counter.reached(2 * count)
        await counter.settled()
    order = await counter.order()
    assert len(order) == len(set(order)) == 2 * count


async def test_a_dead_workers_texts_are_taken_over(counter: Counter) -> None:
    """The state that a process leaves which was killed between taking and queueing."""
    send = counter.redis_client.send
    await send("RPUSH", "{pw:inbox}:processing:dead", *(job(i) for i in range(600)), key="pw:inbox")
    await send("ZADD", "{pw:inbox}:workers", 1, "dead", key="pw:inbox")
    await send("XGROUP", "CREATE", "pw:jobs", "pw", "0", "MKSTREAM", key="pw:jobs")
    await counter.add(*(job(i, "stream") for i in range(300)))
    await send("XREADGROUP", "GROUP", "pw", "dead", "COUNT", 300, "STREAMS", "pw:jobs", ">", key="pw:jobs")
    async with counter.intake():
        await counter.reached(900)
        await counter.settled()


async def test_a_living_workers_texts_are_left_alone(counter: Counter) -> None:
    send = counter.redis_client.send
    await send("RPUSH", "{pw:inbox}:processing:slow", job(1), key="pw:inbox")
    now = (await send("TIME", key="pw:inbox"))[0]
    await send("ZADD", "{pw:inbox}:workers", now + 3600, "slow", key="pw:inbox")
    async with counter.intake():
        await counter.push(job(2))
        await counter.reached(1)
        await asyncio.sleep(0.5)  # two more upkeeps
        assert await counter.jobs() == 1
    await send("DEL", "{pw:inbox}:processing:slow", key="pw:inbox")


async def test_a_worker_that_sends_a_heartbeat_again_keeps_its_texts(counter: Counter) -> None:
    """taskiq-redis#123: it sends a heartbeat after it was found dead and before its texts are taken over."""
    send = counter.redis_client.send
    await send("RPUSH", "{pw:inbox}:processing:slow", job(1), key="pw:inbox")
    await send("ZADD", "{pw:inbox}:workers", 1, "slow", key="pw:inbox")
    mine, slow = (ProducerList(counter.redis_client, "pw", name, IntakeTimeouts()) for name in ("w1", "slow"))
    assert await mine.taken.heartbeat() == ["slow"]
    await slow.taken.heartbeat()
    assert await mine.taken.adopt("slow") == []
    assert await slow.taken.leftovers() == [job(1)]
    await slow.taken.remove([job(1)])


@pytest.mark.parametrize(("command", "timing"), LOSABLE)
async def test_a_lost_reply_loses_no_job(
    counter: Counter, proxied_redis: RespProxy, command: str, timing: IntakeTimeouts
) -> None:
    redis_client = connect(RedisSettings(url=proxied_redis.url))
    async with counter.intake(redis_client=redis_client, timing=timing):
        for round_ in range(4):
            proxied_redis.drop_reply(1 + round_ % 3, command)
            await counter.push(*(job(i, f"list{round_}") for i in range(7)))
            await counter.add(*(job(i, f"stream{round_}") for i in range(7)))
            async with asyncio.timeout(15):
                await proxied_redis.dropped.wait()
        await counter.reached(4 * 14)
        await counter.settled()
    await redis_client.aclose()
    order = await counter.order()
    assert len(order) == len(set(order)) == 4 * 14


async def test_cut_off_and_back(counter: Counter, proxied_redis: RespProxy) -> None:
    redis_client = connect(RedisSettings(url=proxied_redis.url))
    async with counter.intake(redis_client=redis_client):
        await counter.push(job(1))
        await counter.reached(1)
        proxied_redis.cut()
        await counter.push(job(2))
        await counter.add(job(3))
        while redis_client.availability.up:
            await counter.turn()
        proxied_redis.heal()
        await counter.reached(3)
        await counter.settled()
    await redis_client.aclose()


async def test_a_restarted_redis(tmp_path: object) -> None:
    with redis_server(aof=True) as server:
        async with open_counter(server.url) as counter, counter.intake():
            for round_ in range(3):
                await counter.push(*(job(i, f"list{round_}") for i in range(500)))
                await counter.add(*(job(i, f"stream{round_}") for i in range(500)))
                await asyncio.to_thread(server.restart)
                await counter.redis_client.availability.retry_until_available(
                    lambda: counter.redis_client.send("PING", key="k")
                )
            await counter.reached(3000)
            await counter.settled()


async def test_jobs_pushed_to_another_redis_than_the_queues(counter: Counter) -> None:
    with redis_server() as ingress:
        redis_client = connect(RedisSettings(url=counter.redis_client.safe_url, ingress_url=ingress.url))
        async with counter.intake(redis_client=redis_client):
            await redis_client.ingress.send("RPUSH", "pw:inbox", job(1), job(2), key="pw:inbox")
            await redis_client.ingress.send("XADD", "pw:jobs", "*", "job", job(3), key="pw:jobs")
            await counter.reached(3)
            ingress.kill()
            while redis_client.ingress.availability.up:
                await counter.turn()
            assert redis_client.availability.up
            await asyncio.to_thread(ingress.start)
            await redis_client.ingress.availability.retry_until_available(
                lambda: redis_client.ingress.send("RPUSH", "pw:inbox", job(4), key="pw:inbox")
            )
            await counter.reached(4)
        await redis_client.aclose()


async def test_a_sentinel_failover(live_sentinel: Sentinels) -> None:
    async with open_counter(live_sentinel.url) as counter, counter.intake():
        await counter.push(job(1))
        await counter.add(job(2))
        await counter.reached(2)
        await asyncio.to_thread(live_sentinel.wait_replicating)
        await asyncio.to_thread(live_sentinel.failover)
        # What the old primary takes until it is demoted is lost with it: a producer that must not lose pushes again.
        async with asyncio.timeout(30):
            while await again(counter) != 4:
                await counter.turn()
        await counter.settled()


async def again(counter: Counter) -> int:
    """Push the same two jobs until Redis accepts them, and count."""
    await counter.redis_client.availability.retry_until_available(lambda: counter.push(job(3)))
    await counter.redis_client.availability.retry_until_available(lambda: counter.add(job(4)))
    return await counter.redis_client.availability.retry_until_available(counter.jobs)


async def test_a_cluster_whose_slots_and_primaries_move(live_cluster: Cluster) -> None:
    async with open_counter(live_cluster.url) as counter, counter.intake():
        slot = live_cluster.slot("pw:inbox")
        home = live_cluster.owner(slot)
        away = next(node for node in live_cluster.nodes if node is not home)
        for target in (away, home):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(asyncio.to_thread(live_cluster.migrate_slot, slot, target))
                for i in range(20):
                    text = job(i, f"to{target.port}")
                    await counter.redis_client.availability.retry_until_available(partial(counter.push, text))
        await counter.reached(40)
        await counter.settled()
