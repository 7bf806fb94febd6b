"""The audit log on a real Redis: several writers, damage, trimming, checkpoints."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pw_queue import QueueHarness, open_harness
from pw_servers import RedisServer, RespProxy

from pageworker_supervisor.audit import audit_log
from pageworker_supervisor.audit.audit_log import TRIMMED_AT_LEAST, AuditLog, verify_store
from pageworker_supervisor.audit.chain import ChainReport
from pageworker_supervisor.audit.checkpoint_file import CheckpointFile
from pageworker_supervisor.audit.record import Actor, AuditEntry, AuditKey
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.audit_store import AuditStore
from pageworker_supervisor.queue.library import shard_key
from pageworker_supervisor.redis_client.errors import RedisUnavailable

KEY = AuditKey(b"k" * 32)
KEYS = {KEY.id: KEY}
STREAM, HEAD = (shard_key("pw:{0}", name) for name in ("audit", "audit_head"))


@pytest.fixture
async def harness(live_redis: RedisServer) -> AsyncIterator[QueueHarness]:
    async with open_harness(live_redis.port) as opened:
        yield opened


DAYS = 86_400


def log(
    queue: QueueClient, folder: Path, host: str = "h1", keep_days: int = 400, later_seconds: float = 0.0
) -> AuditLog:
    """`later_seconds`: by how much the clock of this host is ahead."""
    actor = Actor(kind="operator", name="ada", uid=1000, host=host, program="workerctl dead purge")
    return AuditLog(queue.audit, KEY, actor, CheckpointFile(folder), keep_days, lambda: time.time() + later_seconds)


async def report(harness: QueueHarness, folder: Path) -> ChainReport:
    return (await verify_store(harness.queue.audit, KEYS, CheckpointFile(folder)))[0]


async def append(harness: QueueHarness, folder: Path, count: int) -> None:
    writer = log(harness.queue, folder)
    for number in range(count):
        await writer.append(AuditEntry(action="dead.purge", target=str(number)))


async def faults(harness: QueueHarness, folder: Path) -> set[str]:
    return {finding.fault for finding in (await report(harness, folder)).findings}


async def test_two_writers_at_once_make_one_chain(harness: QueueHarness, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    writers = [log(harness.queue, tmp_path / name, name) for name in "ab"]
    await asyncio.gather(*(writer.append(AuditEntry(action="x")) for _ in range(10) for writer in writers))
    found = await report(harness, tmp_path / "a")
    assert (found.whole, found.first, found.last, found.verified) == (True, 1, 20, 20)


async def test_a_lost_reply_writes_no_second_record(
    harness: QueueHarness, proxied_redis: RespProxy, tmp_path: Path
) -> None:
    async with open_harness(proxied_redis.port) as far:
        writer = log(far.queue, tmp_path)
        await writer.append(AuditEntry(action="first"))
        head = await far.queue.audit.head()
        line = KEY.line(
            2, head.mac, head.now_ms, Actor(kind="policy", name="", uid=0, host="", program=""), AuditEntry(action="x")
        )
        proxied_redis.drop_reply(command="FCALL")
        assert await far.queue.audit.append(2, head.mac, head.now_ms, line.mac, b"{}")
        assert proxied_redis.dropped.is_set()
    assert await harness.client.xlen(STREAM) == 2


async def test_a_call_that_comes_again_behind_other_records_writes_no_second_one(
    harness: QueueHarness, tmp_path: Path
) -> None:
    await append(harness, tmp_path, 1)
    first, store = (await harness.client.xrange(STREAM))[0][1], harness.queue.audit
    await append(harness, tmp_path, 1)
    assert await store.append(1, "", int(first[b"at_ms"]), first[b"mac"].decode(), first[b"line"])
    assert not await store.append(1, "", int(first[b"at_ms"]), "another", first[b"line"])
    assert await harness.client.xlen(STREAM) == 2


@pytest.mark.parametrize(
    ("gone", "fault"), [((2,), "missing"), ((1,), "start_cut"), ((5,), "end_cut"), ((1, 2, 3, 4, 5), "end_cut")]
)
async def test_removed_records_are_found(
    harness: QueueHarness, tmp_path: Path, gone: tuple[int, ...], fault: str
) -> None:
    await append(harness, tmp_path, 5)
    assert (await report(harness, tmp_path)).whole
    await harness.client.xdel(STREAM, *(f"{number}-0" for number in gone))
    assert fault in await faults(harness, tmp_path)


async def test_a_replaced_record_is_found(harness: QueueHarness, tmp_path: Path) -> None:
    await append(harness, tmp_path, 3)
    entries = await harness.client.xrange(STREAM)
    await harness.client.delete(STREAM)
    for number, (entry, fields) in enumerate(entries, 1):
        line = fields[b"line"].replace(b'"ada"', b'"eve"') if number == 2 else fields[b"line"]
        await harness.client.xadd(STREAM, {**fields, b"line": line}, id=entry)
    assert await faults(harness, tmp_path) == {"changed"}


async def test_a_log_that_was_taken_back_is_found_by_a_host_that_has_seen_more(
    harness: QueueHarness, tmp_path: Path
) -> None:
    await append(harness, tmp_path, 5)
    for number in (4, 5):
        await harness.client.xdel(STREAM, f"{number}-0")
    third = (await harness.client.xrange(STREAM, "3-0", "3-0"))[0][1]
    await harness.client.hset(HEAD, mapping={"seq": 3, "mac": third[b"mac"]})
    assert await faults(harness, tmp_path) == {"end_cut"}
    (tmp_path / "other").mkdir()
    assert (await report(harness, tmp_path / "other")).whole, "this host has seen nothing: it cannot know"


async def test_a_writer_goes_on_behind_damage_and_keeps_the_evidence(harness: QueueHarness, tmp_path: Path) -> None:
    await append(harness, tmp_path, 5)
    before = CheckpointFile(tmp_path).read()
    await harness.client.delete(STREAM, HEAD)
    await append(harness, tmp_path, 7)
    assert CheckpointFile(tmp_path).read() == before
    assert await faults(harness, tmp_path) == {"replaced"}


async def test_without_its_head_the_log_goes_on(harness: QueueHarness, tmp_path: Path) -> None:
    await append(harness, tmp_path, 2)
    await harness.client.delete(HEAD)
    await append(harness, tmp_path, 1)
    assert (await report(harness, tmp_path)).last == 3
    assert (await report(harness, tmp_path)).whole


async def test_old_records_are_trimmed_and_a_record_says_so(harness: QueueHarness, tmp_path: Path) -> None:
    await append(harness, tmp_path, TRIMMED_AT_LEAST)
    await harness.later(3 * DAYS * 1000)
    late = log(harness.queue, tmp_path, keep_days=2, later_seconds=3 * DAYS)
    await late.append(AuditEntry(action="late"))
    assert await harness.client.xlen(STREAM) == TRIMMED_AT_LEAST + 1, "too few to be worth a record"
    await late.append(AuditEntry(action="later"))
    found = await report(harness, tmp_path)
    assert found.whole
    assert (found.first, found.last) == (TRIMMED_AT_LEAST + 1, TRIMMED_AT_LEAST + 3)
    await harness.client.xdel(STREAM, f"{found.first}-0")
    assert await faults(harness, tmp_path) == {"start_cut"}


async def test_a_record_waits_for_the_trimming_of_a_bounded_part_only(
    harness: QueueHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "TRIMMED_AT_MOST", 60)
    await append(harness, tmp_path, TRIMMED_AT_LEAST + 40)
    await harness.later(3 * 86_400_000)
    writer = log(harness.queue, tmp_path, keep_days=2, later_seconds=3 * DAYS)
    firsts = []
    for _ in range(3):
        await writer.append(AuditEntry(action="late"))
        found = await report(harness, tmp_path)
        assert found.whole
        firsts.append(found.first)
    assert firsts == [61, 61, 61], "the rest is too little to be worth a record"
    monkeypatch.setattr(audit_log, "TRIMMED_AT_LEAST", 10)
    await writer.append(AuditEntry(action="late"))
    assert (await report(harness, tmp_path)).first == 121


async def test_a_record_is_written_also_if_trimming_fails(
    harness: QueueHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "TRIMMED_AT_LEAST", 2)
    await append(harness, tmp_path, 3)
    await harness.later(3 * 86_400_000)

    def lost(_: AuditStore, newest: int | None = None) -> AsyncIterator[bytes]:
        raise RedisUnavailable(f"no answer for {newest}")

    monkeypatch.setattr(AuditStore, "lines", lost)
    writer = log(harness.queue, tmp_path, keep_days=2, later_seconds=3 * DAYS)
    assert await writer.append(AuditEntry(action="late")) == 4


async def test_old_records_are_trimmed_without_the_right_to_trim_alone(
    harness: QueueHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "TRIMMED_AT_LEAST", 2)
    await append(harness, tmp_path, 3)
    await harness.later(3 * 86_400_000)
    await harness.client.execute_command("ACL", "SETUSER", "default", "-xtrim")
    try:
        await log(harness.queue, tmp_path, keep_days=2, later_seconds=3 * DAYS).append(AuditEntry(action="late"))
    finally:
        await harness.client.execute_command("ACL", "SETUSER", "default", "+@all")
    assert (await report(harness, tmp_path)).first == 4


async def trim(harness: QueueHarness, folder: Path) -> ChainReport:
    """Append a record when all others are old, and verify."""
    await harness.later(3 * DAYS * 1000)
    await log(harness.queue, folder, keep_days=2, later_seconds=3 * DAYS).append(AuditEntry(action="late"))
    return await report(harness, folder)


async def rewrite(harness: QueueHarness, old: bytes, new: bytes) -> None:
    """Put `new` in place of `old` in each record, as an attacker without the key can."""
    entries = await harness.client.xrange(STREAM)
    await harness.client.delete(STREAM)
    for entry, fields in entries:
        await harness.client.xadd(STREAM, {**fields, b"line": fields[b"line"].replace(old, new)}, id=entry)


async def test_records_that_were_changed_are_not_trimmed_so_the_evidence_stays(
    harness: QueueHarness, tmp_path: Path
) -> None:
    await append(harness, tmp_path, TRIMMED_AT_LEAST + 1)
    await rewrite(harness, b'"ada"', b'"eve"')
    found = await trim(harness, tmp_path)
    assert found.first == 1
    assert {finding.fault for finding in found.findings} == {"changed"}


@pytest.mark.parametrize(("gone", "fault"), [(1, "start_cut"), (7, "missing")])
async def test_a_trimming_does_not_hide_records_that_are_gone(
    harness: QueueHarness, tmp_path: Path, gone: int, fault: str
) -> None:
    await append(harness, tmp_path, TRIMMED_AT_LEAST + 2)
    await harness.client.xdel(STREAM, f"{gone}-0")
    assert fault in {finding.fault for finding in (await trim(harness, tmp_path)).findings}


async def test_a_clock_of_redis_that_is_ahead_has_nothing_trimmed(harness: QueueHarness, tmp_path: Path) -> None:
    await append(harness, tmp_path, TRIMMED_AT_LEAST + 1)
    await harness.later(3 * DAYS * 1000)
    await log(harness.queue, tmp_path, keep_days=2).append(AuditEntry(action="late"))
    found = await report(harness, tmp_path)
    assert (found.first, found.last) == (1, TRIMMED_AT_LEAST + 2)


async def test_entries_of_others_push_out_no_record(
    harness: QueueHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log is full if it has too many records, not too many entries: anyone may add entries between two numbers."""
    monkeypatch.setattr(audit_log, "MOST_RECORDS", TRIMMED_AT_LEAST)
    await append(harness, tmp_path, 5)
    for number in range(TRIMMED_AT_LEAST):
        await harness.client.xadd(
            STREAM, {"mac": "", "at_ms": 0, "line": '{"record":{},"mac":""}'}, id=f"5-{number + 1}"
        )
    await append(harness, tmp_path, 1)
    for number in range(TRIMMED_AT_LEAST):
        await harness.client.xdel(STREAM, f"5-{number + 1}")
    found = await report(harness, tmp_path)
    assert (found.first, found.last, found.whole) == (1, 6, True)


async def test_a_log_that_is_too_long_loses_its_oldest_records_again_and_again(
    harness: QueueHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "MOST_RECORDS", 20)
    monkeypatch.setattr(audit_log, "TRIMMED_AT_MOST", 4)
    await append(harness, tmp_path, 30)
    found = await report(harness, tmp_path)
    assert found.whole
    assert found.last - found.first + 1 in (20, 21)
