"""Versions: releases with the same schema share a Redis; one that finds another schema touches nothing and says why."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pw_queue import DONE, QueueHarness, everything, ticket

from pageworker_supervisor.queue import QueueClient, library
from pageworker_supervisor.queue.errors import SchemaMismatch
from pageworker_supervisor.queue.library import SCHEMA_VERSION
from pageworker_supervisor.redis_client import Router

META = "pw:{0}:meta"


@contextmanager
def another_release(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Clients that are made here have functions of another text."""
    with monkeypatch.context() as patch:
        patch.setattr(library, "generated", lambda text=library.generated(): f"-- another release\n{text}")
        library.library.cache_clear()
        yield
    library.library.cache_clear()


async def test_two_releases_with_one_schema_share_a_redis(
    harness: QueueHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rolling update: what one release claims the other may end, take over or show."""
    with another_release(monkeypatch):
        other = QueueClient(Router(harness.client, harness.client), options=harness.queue.options)
    await other.load()
    assert other.function("claim") != harness.queue.function("claim")
    await harness.producer.enqueue([ticket(f"j{n}") for n in range(4)])
    mine = await harness.take(capacity=everything(2))
    theirs = (await other.consumer.claim("w2", everything(2))).leases
    assert sorted(lease.job_id for lease in (*mine, *theirs)) == ["j0", "j1", "j2", "j3"]
    assert await other.consumer.finish(mine[0], **DONE)
    assert await harness.consumer.finish(theirs[0], **DONE)
    await harness.later(60_000)
    assert (await other.consumer.reap()).count == 2
    await harness.later(60_000)
    assert sorted(await harness.drain()) == sorted([mine[1].job_id, theirs[1].job_id])
    assert await other.inspection.check_consistency() == []


async def test_state_gets_its_version_with_the_first_write(harness: QueueHarness) -> None:
    await harness.inspection.stats()
    assert await harness.client.exists(META) == 0, "reading writes nothing"
    await harness.producer.enqueue([ticket("j1")])
    assert await harness.client.hget(META, "schema") == str(SCHEMA_VERSION).encode()
    await harness.drain()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            str(SCHEMA_VERSION + 1),
            f"schema version {SCHEMA_VERSION + 1}, this worker supports version {SCHEMA_VERSION}",
        ),
        (
            str(SCHEMA_VERSION - 1),
            f"schema version {SCHEMA_VERSION - 1}, this worker supports version {SCHEMA_VERSION}",
        ),
        (None, "before schema versions"),
    ],
)
async def test_another_schema_is_refused_by_name_and_nothing_is_touched(
    harness: QueueHarness, found: str | None, said: str
) -> None:
    await harness.client.hset(META, "stamp", 7)
    if found is not None:
        await harness.client.hset(META, "schema", found)
    before = await harness.client.hgetall(META)
    queue = QueueClient(Router(harness.client, harness.client), options=harness.queue.options)
    calls = (
        lambda: queue.load(),
        lambda: queue.producer.enqueue([ticket("j1")]),
        lambda: queue.consumer.claim("w1", everything()),
        lambda: queue.consumer.register_worker("w1"),
        lambda: queue.inspection.stats(),
        lambda: queue.outbox.take(1, 0),
    )
    for call in calls:
        with pytest.raises(SchemaMismatch, match=said) as mismatch:
            await call()
        assert mismatch.value.retryable
        assert "pw:{0}" in str(mismatch.value)
    assert await harness.client.hgetall(META) == before
    assert await harness.client.keys("*") == [META.encode()]
    await harness.client.flushall()
