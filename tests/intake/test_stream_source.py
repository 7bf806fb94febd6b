"""The stream's group: reaching the dead behind the living. Producers who choose ids, and entries of any size."""

import pytest
from pw_intake import Counter, job

from pageworker_supervisor.intake.stream_source import BATCH, BATCH_BYTES, OTHER_BYTES, ProducerStream
from pageworker_supervisor.intake.timing import IntakeTimeouts
from pageworker_supervisor.redis_client.errors import RedisRefused

LARGEST = "18446744073709551615-18446744073709551615"


async def opened(counter: Counter) -> ProducerStream:
    await counter.redis_client.send("XGROUP", "CREATE", "pw:jobs", "pw", "0", "MKSTREAM", key="pw:jobs")
    return ProducerStream(counter.redis_client, "pw", "w1", IntakeTimeouts())


async def add_at(counter: Counter, *words: str | int | bytes) -> None:
    await counter.redis_client.send("XADD", "pw:jobs", *words, key="pw:jobs")


async def test_after_the_largest_id_the_next_entries_are_taken_again(counter: Counter) -> None:
    """The intake is blocked in a read when the stream begins anew."""
    async with counter.intake():
        await counter.add(job(0))
        await counter.reached(1)
        await add_at(counter, LARGEST, "job", job(1))
        await counter.reached(2)
        await counter.settled()
        await counter.add(job(2), job(3))
        await counter.reached(4)


async def test_an_id_without_an_entry_is_noticed_by_upkeep(counter: Counter) -> None:
    """MAXLEN 0 removes the entry in the same step: no worker ever reads it."""
    stream = await opened(counter)
    await add_at(counter, "MAXLEN", 0, LARGEST, "job", job(1))
    with pytest.raises(RedisRefused, match="exhausted"):
        await counter.add(job(2))
    await stream.mend()
    await counter.add(job(2))
    (entry,) = await stream.take()
    assert entry.job == job(2)
    await stream.settle([entry.id])


async def test_an_id_of_the_future_is_no_clock_for_later_entries(counter: Counter) -> None:
    stream = await opened(counter)
    seconds, _ = await counter.redis_client.send("TIME", key="pw:jobs")
    await add_at(counter, f"{int(seconds) * 1000 + 3_600_000}-0", "job", job(1))
    (entry,) = await stream.take()
    await stream.settle([entry.id])
    await counter.add(job(2))
    (entry,) = await stream.take()
    assert int(entry.id.partition(b"-")[0]) < int(seconds) * 1000 + 60_000
    await stream.settle([entry.id])


async def test_a_stream_that_still_has_entries_is_left_as_it_is(counter: Counter) -> None:
    stream = await opened(counter)
    await counter.add(job(1))
    await add_at(counter, LARGEST, "job", job(2))
    one, two = await stream.take()
    await stream.settle([one.id])
    await stream.mend()
    assert [entry.id for entry in await stream.leftovers()] == [two.id]
    await stream.settle([two.id])


async def test_a_batch_has_a_limit_of_bytes(counter: Counter) -> None:
    stream, text = await opened(counter), b"x" * 300_000
    await counter.add(*[text] * 10)
    most = -(-BATCH_BYTES // len(text))
    new = await stream.take()
    assert [entry.job for entry in new] == [text] * most
    assert [entry.id for entry in await stream.leftovers()] == [entry.id for entry in new]
    rest = [await stream.take(), await stream.take(), await stream.take()]
    assert sum(map(len, rest)) == 10 - most
    await stream.settle([entry.id for batch in (new, *rest) for entry in batch])


async def test_what_a_dead_worker_left_comes_in_batches_of_limited_bytes(counter: Counter) -> None:
    stream, text = await opened(counter), b"x" * 300_000
    await counter.add(*[text] * 10)
    send = counter.redis_client.send
    await send("XREADGROUP", "GROUP", "pw", "dead", "STREAMS", "pw:jobs", ">", key="pw:jobs")
    ids = [row[0] for row in await send("XRANGE", "pw:jobs", "-", "+", key="pw:jobs")]
    await send("XCLAIM", "pw:jobs", "pw", "dead", 0, *ids, "IDLE", 3_600_000, key="pw:jobs")
    adopted = await stream.adopt()
    assert [entry.id for entry in adopted] == ids[: -(-BATCH_BYTES // len(text))]
    await stream.settle(ids)
    assert await stream.leftovers() == []


async def test_fields_that_are_not_the_job_are_read_up_to_a_limit(counter: Counter) -> None:
    stream, large = await opened(counter), b"x" * OTHER_BYTES
    await add_at(counter, "*", "note", large, "job", job(1), "small", "y")
    await add_at(counter, "*", "note", large)
    await add_at(counter, "*", "note", "z")
    with_job, too_large, small = await stream.take()
    assert with_job.job == job(1)
    assert too_large.other == b'{"fields too large":"%d"}' % (OTHER_BYTES + 4)
    assert small.other == b'{"note":"z"}'
    await stream.settle([with_job.id, too_large.id, small.id])


async def test_the_dead_behind_many_living_are_reached(counter: Counter) -> None:
    """XAUTOCLAIM looks at ten times COUNT entries a call; always from the beginning, it would see only the living."""
    send = counter.redis_client.send
    await send("XGROUP", "CREATE", "pw:jobs", "pw", "0", "MKSTREAM", key="pw:jobs")
    await counter.add(*(job(i) for i in range(10 * BATCH + 50)))
    await send("XREADGROUP", "GROUP", "pw", "living", "COUNT", 10_000, "STREAMS", "pw:jobs", ">", key="pw:jobs")
    await counter.add(job(1, "dead"))
    ((_, ((dead, _),)),) = await send("XREADGROUP", "GROUP", "pw", "x", "STREAMS", "pw:jobs", ">", key="pw:jobs")
    await send("XCLAIM", "pw:jobs", "pw", "x", 0, dead, "IDLE", 3_600_000, key="pw:jobs")
    stream = ProducerStream(counter.redis_client, "pw", "w1", IntakeTimeouts())
    assert [entry.id for entry in await stream.adopt()] == [dead]
    await send("DEL", "pw:jobs", key="pw:jobs")
