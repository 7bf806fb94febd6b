"""A worker's copy of the rollout entries, on a real Redis."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from pw_queue import QueueHarness, open_harness
from pw_servers import RedisServer

from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.rollouts.follower import RolloutFollower
from pageworker_supervisor.rollouts.rollout_entry import RolloutEntry, encode_entry

GONE = RolloutEntry(withdrawn=("1.0.0",))
BACK = RolloutEntry(replaced={"1.1.0": "1.0.0"}, rolled_back=("1.1.0",))


@pytest.fixture
async def harness(live_redis: RedisServer) -> AsyncIterator[QueueHarness]:
    async with open_harness(live_redis.port) as opened:
        yield opened


@asynccontextmanager
async def follower(harness: QueueHarness) -> AsyncIterator[tuple[RolloutFollower, asyncio.Event]]:
    """One that runs, and an event that is set at each change."""

    async def probe() -> None:
        await harness.client.ping()

    changed = asyncio.Event()
    one = RolloutFollower(harness.queue.rollouts, Availability(probe), changed.set)
    await one.start()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(one.run())
        try:
            yield one, changed
        finally:
            running.cancel()


async def write(harness: QueueHarness, entry: RolloutEntry, base: int = 0) -> None:
    assert await harness.queue.rollouts.write("shop", base, encode_entry(entry), b"{}")


async def after(change: asyncio.Event, act: Callable[[], None]) -> None:
    change.clear()
    act()
    async with asyncio.timeout(20):
        await change.wait()


async def test_it_has_the_entries_of_its_start_and_takes_changes_at_a_notice(harness: QueueHarness) -> None:
    await write(harness, GONE)
    async with follower(harness) as (one, changed):
        assert one.entry("shop") == GONE
        assert one.entry("news") is None
        await write(harness, BACK, 1)
        await after(changed, one.notice)
        assert (one.entry("shop"), one.revision("shop"), one.serial) == (BACK, 2, 2)


async def test_a_change_of_one_module_leaves_the_others(harness: QueueHarness) -> None:
    await write(harness, GONE)
    assert await harness.queue.rollouts.write("news", 0, encode_entry(BACK), b"{}")
    async with follower(harness) as (one, changed):
        await write(harness, BACK, 1)
        await after(changed, one.notice)
        assert one.entries == {"shop": BACK, "news": BACK}
        assert (one.revision("shop"), one.revision("news")) == (2, 1)
        # All of them are written again, not only the last change.
        await harness.client.flushdb()
        await harness.queue.load()
        one.notice()
        async with asyncio.timeout(20):
            while (found := await harness.queue.rollouts.look()).serial < 3:
                pass
        assert set(found.entries) == {"shop", "news"}


async def test_an_entry_that_is_gone_counts_no_more(harness: QueueHarness) -> None:
    await write(harness, GONE)
    async with follower(harness) as (one, changed):
        await harness.client.hdel("pw:{0}:rollouts", "shop")
        await harness.client.hset("pw:{0}:rollouts", "#serial", "7")
        await after(changed, one.notice)
        assert (one.entries, one.revision("shop")) == ({}, 0)


async def test_an_entry_that_cannot_be_read_leaves_the_one_before(harness: QueueHarness) -> None:
    await write(harness, GONE)
    async with follower(harness) as (one, changed):
        assert await harness.queue.rollouts.write("shop", 1, b'{"withdrawn": 7}', b"{}")
        await after(changed, one.notice)
        assert (one.entry("shop"), one.revision("shop")) == (GONE, 1)


async def test_entries_that_redis_lost_are_written_again(harness: QueueHarness) -> None:
    await write(harness, GONE)
    await write(harness, BACK, 1)
    async with follower(harness) as (one, changed), follower(harness) as (other, _):
        await harness.client.flushdb()
        await harness.queue.load()
        one.notice()
        other.notice()
        async with asyncio.timeout(20):
            while (await harness.queue.rollouts.look()).serial < 2:
                pass  # Redis sends no notice of it to a test
        assert (await harness.queue.rollouts.look()).entries["shop"].text == encode_entry(BACK)
        await write(harness, GONE, 2)
        await after(changed, one.notice)
        assert one.entry("shop") == GONE
