"""Rollout entries, counts and decisions in Redis: compare-and-set, notices, and what is restored."""

import json

from pw_queue import DONE, QueueHarness, ticket

from pageworker_supervisor.queue.rollout_store import observation_request
from pageworker_supervisor.queue.wakeup import RolloutNotice

EVENT = b'{"event":"rollout"}'


async def test_an_entry_is_written_by_compare_and_set(harness: QueueHarness) -> None:
    store = harness.queue.rollouts
    assert (await store.look()).entries == {}
    assert await store.write("shop", 0, b'{"a": "\xc3\xa9"}', EVENT) == 1
    assert await store.write("shop", 0, b"{}", EVENT) == 0, "it is based on no entry, and there is one"
    assert await store.write("shop", 1, b"{}", EVENT) == 2
    assert await store.write("news", 0, b"[]", EVENT) == 1
    look = await store.look()
    assert (look.action, look.serial, look.whole) == ("take", 3, True)
    assert {name: (each.revision, each.text) for name, each in look.entries.items()} == {
        "shop": (2, b"{}"),
        "news": (1, b"[]"),
    }
    assert (await store.look(3)).action == ""
    entry = await store.entry("shop")
    assert entry is not None
    assert entry.revision == 2
    assert await store.entry("other") is None


async def test_a_worker_gets_what_has_changed_since_its_last_look(harness: QueueHarness) -> None:
    store = harness.queue.rollouts
    for name in ("shop", "news", "mail"):
        await store.write(name, 0, b"{}", EVENT)
    await store.write("news", 1, b"[]", EVENT)
    look = await store.look(2)
    assert (look.action, look.serial, look.whole) == ("take", 4, False)
    assert {name: each.revision for name, each in look.entries.items()} == {"mail": 1, "news": 2}
    assert list((await store.look(3)).entries) == ["news"]


async def test_a_change_by_an_older_version_is_not_missed(harness: QueueHarness) -> None:
    """Workers before `rollout_changes` write the entry and the serial alone."""
    store = harness.queue.rollouts
    await store.write("shop", 0, b"{}", EVENT)
    await harness.client.hset("pw:{0}:rollouts", "news", "1 abc []")
    await harness.client.hincrby("pw:{0}:rollouts", "#serial", 1)
    look = await store.look(1)
    assert (set(look.entries), look.whole) == ({"shop", "news"}, True)
    await store.write("mail", 0, b"{}", EVENT)
    look = await store.look(1)
    assert (set(look.entries), look.whole) == ({"shop", "news", "mail"}, True), "the last two changes, one by each"
    assert set((await store.look(2)).entries) == {"mail"}


async def test_the_same_call_again_has_the_same_reply(harness: QueueHarness) -> None:
    call = harness.function_call("rollout_write", module="shop", base=0, id="one", entry="{}", event="{}")
    assert [await harness.client.fcall(*call) for _ in range(2)] == [1, 1]
    assert (await harness.queue.rollouts.look()).serial == 1


async def test_every_worker_and_the_fleets_channel_are_told(harness: QueueHarness) -> None:
    for worker in ("w1", "w2"):
        await harness.consumer.register_worker(worker)
    async with harness.client.pubsub() as events:
        await events.subscribe("pw:events:_fleet")
        await harness.queue.rollouts.write("shop", 0, b"{}", EVENT)
        told = None
        while told is None or told["type"] != "message":
            told = await events.get_message(timeout=5)
        assert json.loads(told["data"]) == {"event": "rollout"}
    for worker in ("w1", "w2"):
        assert (await harness.consumer.wait(worker, 5)).control == (RolloutNotice(),)


async def test_a_worker_restores_what_redis_has_lost(harness: QueueHarness) -> None:
    store = harness.queue.rollouts
    await store.write("shop", 0, b'{"withdrawn":["1.0.0"]}', EVENT)
    await store.write("shop", 1, b"{}", EVENT)
    kept = await store.look()
    await harness.client.flushdb()
    await harness.queue.load()
    assert (await store.look(kept.serial)).action == "restore"
    assert await store.restore(kept.serial, kept.entries)
    assert not await store.restore(kept.serial, kept.entries), "only one worker does it"
    assert await store.look() == kept
    assert (await store.look(1)).whole, "the entries of a worker that was behind may be others"
    assert await store.write("shop", 2, b"{}", EVENT) == 3
    assert not (await store.look(kept.serial)).whole


async def test_an_entry_that_was_edited_by_hand_does_no_harm(harness: QueueHarness) -> None:
    store = harness.queue.rollouts
    await store.write("shop", 0, b"{}", EVENT)
    await harness.client.hset(
        "pw:{0}:rollouts", mapping={"shop": "nonsense", "\udcff".encode("utf-8", "surrogateescape"): "x"}
    )
    look = await store.look()
    assert {name: (each.revision, each.text) for name, each in look.entries.items()} == {"shop": (0, b"")}
    assert await store.write("shop", 0, b"{}", EVENT) == 1


async def test_a_job_is_counted_once_with_its_end(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("a"), ticket("b"), ticket("c"), ticket("d")])
    first, second, third, late = await harness.take()
    observed = observation_request("shop", "r1", 1000, ["to.jobs", "to.failed"])
    for _ in range(2):
        assert await harness.consumer.finish(first, **DONE, observed=observed)
    assert await harness.consumer.finish(second, **DONE, observed=observation_request("shop", "r1", 1000, ["to.jobs"]))
    store = harness.queue.rollouts
    assert await store.counts("shop", "r1") == {"to.jobs": 2, "to.failed": 1}
    assert await store.counts("shop", "r2") == {}
    assert await store.counts("news", "r1") == {}
    await harness.consumer.finish(third, **DONE, observed=observation_request("shop", "r2", 2000, ["from.jobs"]))
    assert await store.counts("shop", "r1") == {}, "another rollout begins anew"
    assert await harness.consumer.finish(late, **DONE, observed=observed)
    assert await store.counts("shop", "r2") == {"from.jobs": 1}, "a late job of the one before changes nothing"


async def test_a_lost_lease_counts_nothing(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("a")])
    lease = await harness.one()
    await harness.consumer.requeue(lease)
    await harness.finish([await harness.one("w2")])
    assert not await harness.consumer.finish(
        lease, **DONE, observed=observation_request("shop", "r1", 1000, ["to.jobs"])
    )
    assert await harness.queue.rollouts.counts("shop", "r1") == {}


async def test_of_two_deciders_one_stores_its_state(harness: QueueHarness) -> None:
    store = harness.queue.rollouts
    assert (await store.decision("shop", "r1")).number == 0
    assert await store.decide("shop", "r1", 0, b"first")
    assert not await store.decide("shop", "r1", 0, b"second")
    found = await store.decision("shop", "r1")
    assert (found.number, found.state) == (1, b"first")
    assert await store.decide("shop", "r1", found.number, b"\xff third")
    assert (await store.decision("shop", "r1")).state == b"\xff third"
    assert (await store.decision("shop", "r2")).number == 0, "another rollout begins anew"
    assert await store.decide("shop", "r2", 0, b"")
