"""The order of audit records in Redis: one after the other, and the same call twice is one record."""

from pw_queue import QueueHarness


async def test_only_the_next_record_is_stored(harness: QueueHarness) -> None:
    store = harness.queue.audit
    assert (await store.head()).seq == 0
    assert await store.append(1, "", 5, "m1", b"one")
    assert await store.append(1, "", 5, "m1", b"one"), "the same call again"
    assert not await store.append(1, "", 5, "other", b"other")
    assert not await store.append(3, "m1", 5, "m3", b"three")
    assert not await store.append(2, "wrong", 5, "m2", b"two")
    assert await store.append(2, "m1", 6, "m2", b"\xfftwo")
    assert await store.append(1, "", 5, "m1", b"one"), "the same call again, after that of another writer"
    assert [line async for line in store.lines()] == [b"one", b"\xfftwo"]
    assert [line async for line in store.lines(1)] == [b"\xfftwo"]
    head = await store.head(seen=1)
    assert (head.seq, head.mac, head.seen_mac, head.length, head.first, head.first_at_ms) == (2, "m2", "m1", 2, 1, 5)


async def test_a_trim_drops_the_first_records(harness: QueueHarness) -> None:
    store = harness.queue.audit
    for number in range(1, 4):
        assert await store.append(number, "" if number == 1 else f"m{number - 1}", 5, f"m{number}", b"x")
    assert await store.append(4, "m3", 6, "m4", b"trim", trim_through=2)
    head = await store.head(seen=2)
    assert (head.first, head.length, head.seen_mac) == (3, 2, "")
