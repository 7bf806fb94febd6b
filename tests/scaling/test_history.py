"""Samples that fleet processes share, on a real Redis."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from pw_queue import QueueHarness, open_harness
from pw_servers import RedisServer

from pageworker_supervisor.config.scaling_settings import ScalingSettings
from pageworker_supervisor.scaling.decider import KEPT_SECONDS, SAMPLE_SECONDS, Load, decide
from pageworker_supervisor.scaling.history import ScalingHistory, ScalingRecord, parse_record, slot_of


@pytest.fixture
async def harness(live_redis: RedisServer) -> AsyncIterator[QueueHarness]:
    async with open_harness(live_redis.port) as opened:
        yield opened


async def now(harness: QueueHarness) -> float:
    return float((await harness.client.time())[0])


def record(at: float, waiting: int = 0) -> ScalingRecord:
    load = Load(at=at, waiting=waiting, running=0, started=0, pages_per_worker=4)
    decision, sample = decide(load, [], ScalingSettings())
    return ScalingRecord(slot_ms=slot_of(at), sample=sample, decision=decision)


async def test_the_first_process_of_an_interval_decides_for_all(harness: QueueHarness) -> None:
    at = await now(harness)
    first, second = ScalingHistory(harness.queue), ScalingHistory(harness.queue)
    kept = await first.add(record(at, waiting=1))
    assert await second.add(record(at, waiting=1000)) == kept
    assert second.records == first.records == [kept]


async def test_a_new_process_begins_with_the_samples_of_the_others(harness: QueueHarness) -> None:
    at = await now(harness) - 100
    first = ScalingHistory(harness.queue)
    for step in range(5):
        await first.add(record(at + step * SAMPLE_SECONDS, waiting=step))
    second = ScalingHistory(harness.queue)
    await second.refresh()
    assert second.samples == first.samples
    assert len(second.samples) == 5
    await first.add(record(at + 50))
    await second.refresh()
    assert second.samples == first.samples


async def test_old_samples_are_forgotten(harness: QueueHarness) -> None:
    at = await now(harness)
    history = ScalingHistory(harness.queue)
    await history.add(record(at - KEPT_SECONDS - 60))
    await history.add(record(at))
    assert len(history.records) == 1


async def test_what_is_no_record_is_skipped(harness: QueueHarness) -> None:
    at = await now(harness)
    for number, text in enumerate((b"{}", b"\xff", b'{"slot_ms": 1}')):
        await harness.client.xadd("pw:{0}:scaling", {"sample": text}, id=f"{number + 1}-0")
    history = ScalingHistory(harness.queue)
    await history.refresh()
    assert history.records == []
    assert await history.add(record(at)) == history.records[-1]
    assert parse_record(b"nonsense") is None
    assert parse_record(b'{"later": ' + b"[" * 2000 + b"]" * 2000 + b"}") is None


async def test_a_user_that_may_not_write_keeps_samples_for_itself(harness: QueueHarness) -> None:
    at = await now(harness)
    history = ScalingHistory(harness.queue)
    await harness.client.execute_command("ACL", "SETUSER", "default", "-xadd")
    try:
        await history.refresh()
        mine = await history.add(record(at))
        assert history.records == [mine]
        later = await history.add(record(at + KEPT_SECONDS + 60))
        assert history.records == [later], "what is old is forgotten here too"
    finally:
        await harness.client.execute_command("ACL", "SETUSER", "default", "+@all")
    assert await harness.client.exists("pw:{0}:scaling") == 0


def test_an_interval_begins_at_a_multiple_of_its_length() -> None:
    assert slot_of(1003.9) == slot_of(1000) == 1_000_000
    assert slot_of(1005) == 1_005_000


async def test_a_record_whose_text_is_of_the_future_is_dropped(harness: QueueHarness) -> None:
    at = await now(harness)
    history = ScalingHistory(harness.queue)
    text = msgspec.json.encode(record(at + 10 * 365 * 86_400))
    await harness.client.xadd("pw:{0}:scaling", {"sample": text}, id=f"{slot_of(at)}-0")
    await history.refresh()
    assert len(history.records) == 1
    history.drop_later(slot_of(at))
    assert history.records == []


@pytest.mark.parametrize("field", ["ended", "held_seconds", "pages_per_worker", "waiting"])
@pytest.mark.parametrize("value", [-1, 10**30])
def test_numbers_that_no_process_writes_are_no_record(field: str, value: int) -> None:
    fields = msgspec.to_builtins(record(1e9))
    assert parse_record(msgspec.json.encode(fields)) is not None
    fields["sample"][field] = value
    assert parse_record(msgspec.json.encode(fields)) is None
