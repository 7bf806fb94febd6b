"""One worker's part in the central configuration, on a real Redis."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import pytest
from pw_queue import QueueHarness, open_harness
from pw_servers import RedisServer

from pageworker_supervisor.central.document import texts_of_values
from pageworker_supervisor.central.follower import ConfigFollower
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.load import LocalLayers, read_local
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.queue.config_store import ConfigOutcome
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.telemetry.metrics import Metrics


async def until(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    """Ask until it holds. Raises TimeoutError."""
    async with asyncio.timeout(30):
        while True:
            held = holds()
            if held if isinstance(held, bool) else await held:
                return
            # Neither a follower nor a key reports its changes to a test.
            await asyncio.sleep(0.01)


class OneFollower:
    """A follower that runs, and what it has applied."""

    def __init__(self, name: str, harness: QueueHarness, local: LocalLayers) -> None:
        self.name = name
        self.live = Live(local.settings())
        self.metrics = Metrics()
        self.harness = harness
        store = harness.queue.config

        async def probe() -> None:
            await harness.client.ping()

        self.follower = ConfigFollower(name, store, Availability(probe), local, self.live, self.metrics)

    @property
    def settings(self) -> Settings:
        """Those that count now."""
        return self.live.value

    async def joined(self) -> None:
        """Wait until changes wait for its vote."""

        async def known() -> bool:
            return self.name in (await self.harness.queue.config.state()).workers

        await until(known)

    async def runs(self, version: int) -> None:
        """Wait until it runs this version."""
        await until(lambda: self.follower.version.version == version)


@pytest.fixture
async def harness(live_redis: RedisServer) -> AsyncIterator[QueueHarness]:
    async with open_harness(live_redis.port) as opened:
        yield opened


@asynccontextmanager
async def following(harness: QueueHarness, *names: str, **environ: str) -> AsyncIterator[list[OneFollower]]:
    """Followers that are started, run, and are told of each change by the control list, as the dispatcher does it."""
    made = [OneFollower(name, harness, read_local(None, environ)) for name in names]
    for name, one in zip(names, made, strict=True):
        await harness.consumer.register_worker(name)
        await one.follower.start()

    async def listen(name: str, one: OneFollower) -> NoReturn:
        while True:
            await harness.client.blmpop(1, 1, f"pw:{{0}}:control:{name}", direction="LEFT")
            one.follower.notice()

    async with asyncio.TaskGroup() as tasks:
        running: list[asyncio.Task[NoReturn]] = []
        for name, one in zip(names, made, strict=True):
            running += [tasks.create_task(one.follower.run()), tasks.create_task(listen(name, one))]
            await one.joined()
        yield made
        for task in running:
            task.cancel()


async def change(harness: QueueHarness, values: Mapping[str, Any], name: str = "p1") -> ConfigOutcome:
    """Propose these values in place of what counts, and wait for the outcome."""
    store = harness.queue.config
    await store.propose(name, (await store.state()).version, texts_of_values(values), "me", "because")
    await store.wait_outcome(name, 8)
    outcome = await store.outcome(name)
    assert outcome is not None
    return outcome


async def test_a_change_is_effective_on_every_worker(harness: QueueHarness) -> None:
    async with following(harness, "w1", "w2", PAGEWORKER_POOL__PAGES="5") as followers:
        assert (await change(harness, {"pool.runners": 7, "pool.pages": 9})).state == "committed"
        for one in followers:
            await one.runs(1)
            assert (one.settings.pool.runners, one.settings.pool.pages) == (7, 5)
            assert b"pageworker_config_version 1.0" in one.metrics.expose()
            assert b'pageworker_config_votes_total{vote="accepted"} 1.0' in one.metrics.expose()


async def test_a_change_that_one_worker_cannot_run_is_refused_by_all(harness: QueueHarness) -> None:
    async with following(harness, "w1") as (one,), following(harness, "w2", PAGEWORKER_SANDBOX__UIDS="12") as (two,):
        outcome = await change(harness, {"pool.runners": 9, "pool.pages": 0, "redis.url": "redis://evil"})
        assert (outcome.state, set(outcome.refusals)) == ("refused", {"w1", "w2"})
        assert [len(outcome.refusals[name]) for name in ("w1", "w2")] == [2, 3], "every mistake is listed"
        outcome = await change(harness, {"pool.runners": 9}, "p2")
        assert (outcome.state, list(outcome.refusals)) == ("refused", ["w2"])
        assert "at least 17: pool.runners and 8 more" in outcome.refusals["w2"][0]
        assert one.settings.pool.runners == two.settings.pool.runners == 4
        assert b'pageworker_config_votes_total{vote="refused"} 2.0' in two.metrics.expose()
        assert b"pageworker_config_refused_total 2.0" in two.metrics.expose()


async def test_a_setting_that_needs_a_restart_waits_for_it(harness: QueueHarness) -> None:
    async with following(harness, "w1") as (one,):
        await change(harness, {"artifacts.link_seconds": 60, "pool.runners": 7})
        await one.runs(1)
        assert (one.settings.artifacts.link_seconds, one.settings.pool.runners) == (604_800, 7)
        assert one.follower.waiting == ("artifacts.link_seconds",)
    async with following(harness, "w2") as (two,):
        assert (two.settings.artifacts.link_seconds, two.follower.waiting) == (60, ())


async def test_a_worker_that_missed_a_change_takes_it_when_it_looks_again(harness: QueueHarness) -> None:
    late = OneFollower("late", harness, read_local(None, {}))
    await harness.consumer.register_worker("late")
    await late.follower.start()
    await harness.queue.config.look("late", 0, late.follower.version.digest)
    async with following(harness, "w1"):
        await harness.queue.config.propose("p1", 0, texts_of_values({"pool.runners": 7}), "me", "because")

        async def voted() -> bool:
            return bool(await harness.client.hlen("pw:{0}:config:votes"))

        await until(voted)
        await harness.later(3001)
        outcome = await harness.queue.config.outcome("p1")
        assert outcome is not None
        assert list(outcome.left_out) == ["late"]
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(late.follower.run())
            late.follower.notice()
            await late.runs(1)
            running.cancel()
    assert late.settings.pool.runners == 7


async def test_a_version_that_is_invalid_here_is_kept_out_and_named(harness: QueueHarness) -> None:
    assert (await change(harness, {"pool.runners": 40})).state == "committed", "no worker runs"
    narrow = OneFollower("w1", harness, read_local(None, {"PAGEWORKER_SANDBOX__UIDS": "20"}))
    await harness.consumer.register_worker("w1")
    await narrow.follower.start()
    assert narrow.settings.pool.runners == 4
    assert (
        "version 1 of the central configuration is invalid on this worker: sandbox.uids"
        in narrow.follower.trouble.value
    )
    assert b"pageworker_config_invalid 1.0" in narrow.metrics.expose()
    assert b"pageworker_config_refused_total 1.0" in narrow.metrics.expose()
    store = harness.queue.config
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(narrow.follower.run())
        await narrow.joined()
        assert await store.propose("p2", 1, texts_of_values({"pool.runners": 8}), "me", "mend") == "open"
        narrow.follower.notice()
        await narrow.runs(2)
        running.cancel()
    assert (narrow.follower.trouble.value, narrow.settings.pool.runners) == ("", 8)


async def test_an_edit_by_hand_is_checked_and_taken_or_undone(harness: QueueHarness) -> None:
    async with following(harness, "w1", "w2") as followers:
        await harness.client.hset("pw:{0}:config", "pool.runners", "7")
        followers[0].follower.notice()
        for one in followers:
            await one.runs(1)
            assert one.follower.version.who == "unknown (edited in Redis)"
        await harness.client.hset("pw:{0}:config", mapping={"pool.runners": "0", "log.level": "debug"})
        followers[1].follower.notice()

        async def undone() -> bool:
            return bool(await harness.client.hgetall("pw:{0}:config") == {b"pool.runners": b"7"})

        await until(undone)
        assert (await harness.queue.config.state()).version == 1


async def test_what_redis_lost_is_restored(harness: QueueHarness) -> None:
    async with following(harness, "w1", "w2") as followers:
        await change(harness, {"pool.runners": 7})
        for one in followers:
            await one.runs(1)
        await harness.client.delete("pw:{0}:config", "pw:{0}:config:meta", "pw:{0}:config:workers")
        followers[0].follower.notice()

        async def restored() -> bool:
            return (await harness.queue.config.state()).version == 1

        await until(restored)
        assert (await harness.queue.config.state()).texts == {"pool.runners": "7"}
        followers[1].follower.notice()
        await followers[1].runs(1)
        assert followers[1].settings.pool.runners == 7
