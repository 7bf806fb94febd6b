"""Texts that a worker has taken, on a real Redis."""

from collections.abc import AsyncIterator

import pytest
from pw_intake import QUICK, Counter, job

from pageworker_supervisor.intake.processing_list import BATCH, ProcessingList

BASE = "{pw:inbox}:some"


def of(counter: Counter, worker: str) -> ProcessingList:
    return ProcessingList(counter.redis_client, "pw:inbox", BASE, worker, QUICK)


@pytest.fixture
async def taken(counter: Counter) -> AsyncIterator[ProcessingList]:
    """Of worker `w1`, with two texts."""
    mine = of(counter, "w1")
    await counter.redis_client.send("RPUSH", mine.key, job(1), job(2), key="pw:inbox")
    yield mine
    await counter.redis_client.send("DEL", mine.key, mine.workers, of(counter, "w2").key, key="pw:inbox")


async def test_what_was_taken_stays_until_it_is_removed(taken: ProcessingList) -> None:
    assert await taken.leftovers() == [job(1), job(2)]
    await taken.remove([job(1), b"never there"])
    assert await taken.leftovers() == [job(2)]


async def test_a_live_worker_keeps_its_texts_and_a_dead_one_loses_them(counter: Counter, taken: ProcessingList) -> None:
    other = of(counter, "w2")
    await taken.heartbeat()
    assert await other.heartbeat() == []
    assert await other.adopt("w1") == []
    await counter.redis_client.send("ZADD", taken.workers, 1, "w1", key="pw:inbox")
    assert await other.heartbeat() == ["w1"]
    assert await other.adopt("w1") == [job(1), job(2)]
    assert await taken.leftovers() == []
    assert await other.leftovers() == [job(1), job(2)]
    assert await other.adopt("w1") == []
    assert await other.heartbeat() == [], "its list is empty, so it is forgotten"


async def test_a_batch_is_bounded(counter: Counter, taken: ProcessingList) -> None:
    await counter.redis_client.send("RPUSH", taken.key, *(job(n) for n in range(BATCH)), key="pw:inbox")
    assert len(await taken.leftovers()) == BATCH
