"""The central configuration in Redis: every worker votes, and all end on one version."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from pw_queue import QueueHarness

from pageworker_supervisor.queue.config_store import ConfigOutcome, ConfigStore, ConfigVersion, texts_of
from pageworker_supervisor.queue.errors import ConfigStoreDamaged

HASH, META = "pw:{0}:config", "pw:{0}:config:meta"
ONE = {"pool.runners": "6"}
TWO = {"pool.runners": "7", 'domains."*.a.test".burst': "3"}


async def joined(harness: QueueHarness, *workers: str) -> ConfigStore:
    """These workers live, and run version 0."""
    store = harness.queue.config
    empty = (await store.state()).digest
    for worker in workers:
        await harness.consumer.register_worker(worker)
        await store.look(worker, 0, empty)
    return store


async def proposed(store: ConfigStore, document: Mapping[str, str], name: str = "p1", base: int = 0) -> None:
    assert await store.propose(name, base, document, "me", "because") == "open"


async def ended(store: ConfigStore, name: str = "p1") -> ConfigOutcome:
    outcome = await store.outcome(name)
    assert outcome is not None
    return outcome


async def asked(store: ConfigStore, worker: str) -> str:
    """The proposal that waits for the vote of this worker."""
    state = await store.state()
    return (await store.look(worker, state.version, state.digest)).id


async def test_a_change_counts_once_every_worker_accepted_it(harness: QueueHarness) -> None:
    store = await joined(harness, "w1", "w2")
    await proposed(store, ONE)
    look = await store.look("w1", 0, (await store.state()).digest)
    assert (look.action, look.id, look.who, texts_of(look.document)) == ("vote", "p1", "me", ONE)
    await store.vote("w1", "p1", [])
    assert await store.outcome("p1") is None
    assert (await store.state()).version == 0
    await store.vote("w2", "p1", [])
    assert await ended(store) == ConfigOutcome("committed", 1, {"w1": True, "w2": True}, {}, {})
    state = await store.state()
    assert (state.version, state.who, state.why, state.texts, state.edited) == (1, "me", "because", ONE, False)
    assert await harness.client.hgetall(HASH) == {b"pool.runners": b"6"}
    taken = await store.look("w1", 0, "old")
    assert (taken.action, taken.version, texts_of(taken.document)) == ("take", 1, ONE)
    assert (await store.look("w1", 1, taken.digest)).action == ""
    assert (await store.state()).workers["w1"].version == 1


async def test_one_refusal_keeps_the_old_version_and_all_reasons(harness: QueueHarness) -> None:
    store = await joined(harness, "w1", "w2", "w3")
    async with harness.client.pubsub() as events:
        await events.subscribe("pw:events:_fleet")
        await events.get_message(timeout=5)
        await proposed(store, ONE)
        await store.vote("w1", "p1", ["too many", "no such file"])
        await store.vote("w2", "p1", [])
        await store.vote("w3", "p1", ["bad"])
        message = await events.get_message(timeout=5)
    refusals = {"w1": ["too many", "no such file"], "w3": ["bad"]}
    assert await ended(store) == ConfigOutcome("refused", 0, {}, {}, refusals)
    assert (await store.state()).texts == {}
    assert message is not None
    event = json.loads(message["data"])
    assert (event["event"], event["detail"]["refusals"], event["detail"]["who"]) == ("config_refused", refusals, "me")


async def test_voters_are_woken(harness: QueueHarness) -> None:
    store = await joined(harness, "w1")
    await proposed(store, ONE)
    assert await harness.client.lrange("pw:{0}:control:w1", 0, -1) == [b"config"]


async def test_a_worker_that_is_silent_is_left_out_once(harness: QueueHarness) -> None:
    store = await joined(harness, "w1", "w2")
    await proposed(store, ONE)
    await store.vote("w1", "p1", [])
    await harness.later(3001)
    outcome = await ended(store)
    assert (outcome.state, outcome.agreed, list(outcome.left_out)) == ("committed", {"w1": True}, ["w2"])
    await proposed(store, TWO, "p2", 1)
    await store.vote("w1", "p2", [])
    assert (await ended(store, "p2")).state == "committed"
    assert (await store.look("w2", 0, "old")).action == "take"
    await proposed(store, ONE, "p3", 2)
    await store.vote("w1", "p3", [])
    assert await store.outcome("p3") is None, "it votes again"


async def test_a_change_that_no_worker_checked_is_refused(harness: QueueHarness) -> None:
    store = await joined(harness, "w1")
    await proposed(store, ONE)
    await harness.later(3001)
    outcome = await ended(store)
    assert (outcome.state, list(outcome.left_out)) == ("refused", ["w1"])


async def test_a_worker_without_a_heartbeat_does_not_vote(harness: QueueHarness) -> None:
    store = await joined(harness, "w1")
    await harness.later(45_001)
    assert await store.propose("p1", 0, ONE, "me", "because") == "decided"
    assert (await ended(store)).state == "committed"


async def test_a_worker_that_stops_does_not_vote(harness: QueueHarness) -> None:
    store = await joined(harness, "w1", "w2")
    await proposed(store, ONE)
    await store.vote("w1", "p1", [])
    await store.leave("w2")
    assert (await ended(store)).agreed == {"w1": True}
    assert list((await store.state()).workers) == ["w1"]


async def test_the_last_worker_stops_before_it_votes(harness: QueueHarness) -> None:
    store = await joined(harness, "w1")
    await proposed(store, ONE)
    await store.leave("w1")
    await harness.later(3001)
    assert (await ended(store)).state == "refused"


async def test_a_worker_that_joins_later_takes_the_outcome(harness: QueueHarness) -> None:
    store = await joined(harness, "w1")
    await proposed(store, ONE)
    await harness.consumer.register_worker("w2")
    assert (await store.look("w2", 0, (await store.state()).digest)).action == ""
    await store.vote("w1", "p1", [])
    assert (await store.look("w2", 0, "")).action == "take"


async def test_a_proposal_on_an_old_version_is_stale(harness: QueueHarness) -> None:
    store = await joined(harness)
    assert await store.propose("p1", 0, ONE, "me", "because") == "decided"
    assert await store.propose("p2", 0, TWO, "me", "because") == "stale"
    assert await store.outcome("p2") is None


async def test_one_proposal_at_a_time_and_each_call_may_be_repeated(harness: QueueHarness) -> None:
    store = await joined(harness, "w1")
    await proposed(store, ONE)
    await proposed(store, ONE)
    assert await store.propose("p2", 0, TWO, "you", "because") == "busy"
    await store.vote("w1", "p1", [])
    await store.vote("w1", "p1", ["changed its mind"])
    assert await store.propose("p1", 0, ONE, "me", "because") == "decided"
    assert (await store.state()).version == 1


async def test_waiting_for_an_outcome_ends_with_the_vote(harness: QueueHarness) -> None:
    store = await joined(harness, "w1")
    await proposed(store, ONE)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(store.wait_outcome("p1", 8))
        await store.vote("w1", "p1", [])
        await waiting
    assert (await ended(store)).state == "committed"
    await store.wait_outcome("p1", 8)


async def test_an_edit_by_hand_becomes_a_proposal(harness: QueueHarness) -> None:
    store = await joined(harness, "w1", "w2")
    await harness.client.hset(HASH, "pool.runners", "8")
    assert (await store.state()).edited
    look = await store.look("w1", 0, (await store.state()).digest)
    assert (look.action, look.who, texts_of(look.document)) == (
        "vote",
        "unknown (edited in Redis)",
        {"pool.runners": "8"},
    )
    for worker in ("w1", "w2"):
        await store.vote(worker, look.id, [])
    state = await store.state()
    assert (state.version, state.who, state.edited) == (1, "unknown (edited in Redis)", False)


async def test_a_refused_edit_is_taken_back(harness: QueueHarness) -> None:
    store = await joined(harness, "w1")
    await proposed(store, ONE)
    await store.vote("w1", "p1", [])
    await harness.client.hset(HASH, mapping={"pool.runners": "0", "x": b"\xff"})
    assert await store.propose("p2", 1, TWO, "me", "because") == "busy"
    edit = await asked(store, "w1")
    await store.vote("w1", edit, ["1 to 64"])
    assert await harness.client.hgetall(HASH) == {b"pool.runners": b"6"}
    assert (await store.state()).version == 1
    await proposed(store, TWO, "p2", 1)


async def test_an_edit_that_no_worker_can_check_is_taken_back(harness: QueueHarness) -> None:
    store = await joined(harness)
    await harness.client.hset(HASH, "pool.runners", "0")
    assert await store.propose("p1", 0, ONE, "me", "because") == "busy"
    assert await store.propose("p1", 0, ONE, "me", "because") == "decided"
    assert (await store.state()).texts == ONE


async def test_data_that_redis_lost_is_restored_by_a_worker(harness: QueueHarness) -> None:
    store = await joined(harness, "w1")
    look = await store.look("w1", 7, "digest")
    assert look.action == "restore"
    assert await store.restore(ConfigVersion(version=7, who="me", why="because", at_ms=5), ONE)
    assert not await store.restore(ConfigVersion(version=6, who="you", why="x", at_ms=4), TWO)
    state = await store.state()
    assert (state.version, state.who, state.at_ms, state.texts, state.edited) == (7, "me", 5, ONE, False)


async def test_the_history_has_whole_documents_and_a_bound(harness: QueueHarness) -> None:
    store = await joined(harness)
    for number in range(1, 4):
        await store.propose(f"p{number}", number - 1, {"pool.runners": str(number)}, "me", f"try {number}")
    newest = await store.history(2)
    assert [(one.version, one.why, texts_of(one.document)) for one in newest] == [
        (3, "try 3", {"pool.runners": "3"}),
        (2, "try 2", {"pool.runners": "2"}),
    ]
    for number in range(3, 700):
        await store.propose(f"p{number + 1}", number, {}, "me", "")
    assert await harness.client.xlen("pw:{0}:config:history") < 650


async def test_the_same_document_has_one_digest(harness: QueueHarness) -> None:
    store, digests = await joined(harness), set[str]()
    for number, document in enumerate((TWO, dict(reversed(TWO.items())))):
        await store.propose(f"p{number}", number, document, "me", "")
        digests.add((await store.state()).digest)
    assert len(digests) == 1


async def test_a_key_that_was_written_by_hand_is_named(harness: QueueHarness) -> None:
    store = await joined(harness)
    await harness.client.hset(META, "document", "nonsense")
    with pytest.raises(ConfigStoreDamaged, match="workerctl config rollback"):
        assert (await store.state()).texts


async def test_no_key_stays_of_what_is_decided(harness: QueueHarness) -> None:
    store = await joined(harness, "w1")
    await proposed(store, ONE)
    await store.vote("w1", "p1", [])
    left: set[Any] = set(await harness.client.keys("pw:{0}:config*"))
    assert left == {b"pw:{0}:config", b"pw:{0}:config:meta", b"pw:{0}:config:history", b"pw:{0}:config:workers"} | {
        b"pw:{0}:config:outcome:p1"
    }
    assert 0 < await harness.client.pttl("pw:{0}:config:outcome:p1") <= 300_000
    assert 0 < await harness.client.pttl("pw:{0}:config:workers") <= 180_000
