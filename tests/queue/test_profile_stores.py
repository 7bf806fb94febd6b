"""The record of the store in which a profile lives: the first opening sets it, and no other store takes it over."""

import asyncio
import json

from pw_queue import QueueHarness


async def test_the_first_store_keeps_the_profile(harness: QueueHarness) -> None:
    stores = harness.queue.profile_stores
    first = await stores.claim("acme", "p1", "one", "host-1")
    assert (first.store, first.host, first.kept) == ("one", "host-1", False)
    other = await stores.claim("acme", "p1", "two", "host-2")
    assert (other.store, other.host) == ("one", "host-1")
    assert (await stores.claim("acme", "p1", "one", "host-3")).host == "host-3", "the store moved with its disk"
    assert (await stores.claim("acme", "p2", "two", "host-2")).store == "two"
    assert (await stores.claim("other", "p1", "two", "host-2")).store == "two"


async def test_a_stored_snapshot_brings_the_profile_into_its_store(harness: QueueHarness) -> None:
    stores = harness.queue.profile_stores
    await stores.claim("acme", "p1", "local", "host-1")
    kept = await stores.claim("acme", "p1", "bucket", "host-1", keep=True)
    assert (kept.store, kept.kept) == ("bucket", True)
    assert (await stores.claim("acme", "p1", "bucket", "host-2")).kept, "it stays known that there was one"
    assert (await stores.claim("acme", "p1", "local", "host-1")).store == "bucket"


async def test_a_removed_profile_may_begin_anywhere(harness: QueueHarness) -> None:
    stores = harness.queue.profile_stores
    await stores.claim("acme", "p1", "one", "host-1", keep=True)
    assert await stores.forget("acme", "p1")
    assert not await stores.forget("acme", "p1")
    found = await stores.claim("acme", "p1", "two", "host-2")
    assert (found.store, found.kept) == ("two", False)


async def test_an_event_of_a_profile_comes_on_the_channel_of_its_tenant(harness: QueueHarness) -> None:
    async with harness.client.pubsub() as channel, asyncio.timeout(10):
        await channel.subscribe("pw:events:acme")
        heard = channel.listen()
        await anext(heard)
        await harness.queue.profile_stores.tell("acme", json.dumps({"event": "profile_state"}).encode())
        assert json.loads((await anext(heard))["data"]) == {"event": "profile_state"}
