"""The producers' list: how long a text has waited there, and what a take records of it."""

import asyncio
import time

import pytest
from pw_intake import Counter, job
from pw_queue.words import DONE, everything

from pageworker_supervisor.intake import list_source
from pageworker_supervisor.intake.list_source import ProducerList
from pageworker_supervisor.intake.timing import IntakeTimeouts
from pageworker_supervisor.queue.claim import Lease

PAUSE_SECONDS = 0.3
SLACK_SECONDS = 0.2


async def taken(counter: Counter, worker: str, most: int, monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, float]]:
    """What one take brings, with seconds."""
    monkeypatch.setattr(list_source, "BATCH", most)
    hand = ProducerList(counter.redis_client, "pw", worker, IntakeTimeouts())
    arrivals = await hand.take()
    await hand.taken.remove([arrival.text for arrival in arrivals])
    return [(arrival.text, arrival.waited_ms / 1000) for arrival in arrivals]


def near(found: list[tuple[bytes, float]], waits: list[float]) -> bool:
    """Each text waited about as long as `waits` says. SLACK_SECONDS allow for a busy host."""
    return [wait for _, wait in found] == pytest.approx(waits, abs=SLACK_SECONDS) and len(found) == len(waits)


async def test_what_a_take_leaves_behind_waits_from_then_on(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    await counter.push(*(job(n) for n in range(4)))
    assert near(await taken(counter, "w1", 1, monkeypatch), [0])
    first = time.monotonic()
    await asyncio.sleep(PAUSE_SECONDS)
    await counter.push(job(4))
    assert near(await taken(counter, "w2", 1, monkeypatch), [time.monotonic() - first]), "also for another worker"
    second = time.monotonic()
    await asyncio.sleep(PAUSE_SECONDS)
    found = await taken(counter, "w1", 10, monkeypatch)
    assert [text for text, _ in found] == [job(2), job(3), job(4)]
    now = time.monotonic()
    assert near(found, [now - first, now - first, now - second])


async def test_what_is_pushed_at_the_head_has_not_waited(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    """n8n's node pushes there unless told otherwise."""
    await counter.push(*(job(n) for n in range(3)))
    assert near(await taken(counter, "w1", 1, monkeypatch), [0])
    first = time.monotonic()
    await asyncio.sleep(PAUSE_SECONDS)
    await counter.redis_client.send("LPUSH", "pw:inbox", job(9), key="pw:inbox")
    found = await taken(counter, "w1", 10, monkeypatch)
    assert [text for text, _ in found] == [job(9), job(1), job(2)]
    assert near(found, [0, time.monotonic() - first, time.monotonic() - first])


async def test_where_others_changed_the_list_nothing_is_claimed(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await counter.push(*(job(n) for n in range(5)))
    await taken(counter, "w1", 1, monkeypatch)
    await asyncio.sleep(PAUSE_SECONDS)
    await counter.redis_client.send("LPOP", "pw:inbox", key="pw:inbox")
    await counter.push(job(7))
    assert near(await taken(counter, "w1", 10, monkeypatch), [0, 0, 0, 0])
    assert await counter.redis_client.send("EXISTS", "{pw:inbox}:seen", key="pw:inbox") == 0


async def test_a_backlog_of_many_pushes_costs_a_small_note(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(200):
        await counter.push(job(2 * number), job(2 * number + 1))
        await taken(counter, "w1", 1, monkeypatch)
    note = await counter.redis_client.send("GET", "{pw:inbox}:seen", key="pw:inbox")
    assert len(note.split()) <= 34
    assert len(note) < 1200
    while found := await taken(counter, "w1", 256, monkeypatch):
        assert all(wait >= 0 for _, wait in found)


@pytest.mark.parametrize("at_head", [False, True])
async def test_a_long_text_is_not_read_again_by_each_take(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, at_head: bool
) -> None:
    """Two copies per take of a text of 512 MB at the end of the list kept Redis busy for seconds."""
    long = b"x" * (list_source.LONG_BYTES + 1)
    texts = [long, *(job(n) for n in range(4)), long] if at_head else [*(job(n) for n in range(4)), long]
    await counter.push(*texts)
    assert await taken(counter, "w1", 0, monkeypatch) == []
    await asyncio.sleep(PAUSE_SECONDS)
    before = await reads(counter)
    for number in range(4):
        ((text, wait),) = await taken(counter, "w1", 1, monkeypatch)
        assert text == texts[number]
        assert wait >= PAUSE_SECONDS - 0.01
    assert await reads(counter) - before == (7 if at_head else 8), "of the first text, before and after"
    await counter.push(job(9))
    found = await taken(counter, "w2", 10, monkeypatch)
    assert [text for text, _ in found] == [*texts[4:], job(9)]
    assert near(found[-1:], [0])
    assert all(wait >= PAUSE_SECONDS - 0.01 for _, wait in found[:-1])


async def reads(counter: Counter) -> int:
    """How often texts were read where they are."""
    stats = await counter.redis_client.send("INFO", "commandstats", key="pw:inbox")
    return int(stats["cmdstat_lindex"]["calls"])


async def test_a_jobs_time_in_the_stream_is_time_in_the_queue(counter: Counter) -> None:
    await counter.add(job(1))
    await asyncio.sleep(1.0)
    async with counter.intake():
        lease = await claimed(counter)
    assert 0.9 < lease.queued_seconds < 3.0
    assert 0.9 < lease.total_seconds < 3.0


async def test_a_jobs_time_in_the_inbox_is_time_in_the_queue(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    await counter.push(*(job(n) for n in range(2)))
    assert len(await taken(counter, "other", 1, monkeypatch)) == 1
    await asyncio.sleep(1.0)
    async with counter.intake():
        lease = await claimed(counter)
    assert 0.9 < lease.queued_seconds < 3.0
    assert 0.9 < lease.total_seconds < 3.0


async def test_a_delay_counts_from_the_push_and_is_no_queueing(counter: Counter) -> None:
    await counter.add(job(1, delay_seconds=1.5))
    pushed = time.monotonic()
    await asyncio.sleep(1.0)
    async with counter.intake():
        lease = await claimed(counter)
    assert 1.4 < time.monotonic() - pushed < 3.5
    assert lease.queued_seconds < 1.0
    assert lease.total_seconds > 1.4


async def claimed(counter: Counter) -> Lease:
    """The one job, which is then over."""
    async with asyncio.timeout(10):
        while not (leases := (await counter.queue.consumer.claim("reader", everything())).leases):
            await counter.queue.consumer.wait("reader", 0.2)
    assert await counter.queue.consumer.finish(leases[0], **DONE)
    return leases[0]


async def test_a_batch_has_a_limit_of_bytes(counter: Counter) -> None:
    text = b"x" * 300_000
    await counter.push(*[text] * 10)
    hand = ProducerList(counter.redis_client, "pw", "w1", IntakeTimeouts())
    sizes = []
    while arrivals := await hand.take():
        sizes.append(len(arrivals))
        await hand.taken.remove([arrival.text for arrival in arrivals])
    assert sizes == [4, 4, 2], "at most 1 MiB and one text more"
