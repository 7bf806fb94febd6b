"""Checkpoints in a snapshot store: under the fence, encrypted, and older than every snapshot that comes after."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pw_profiles import Keys, SnapshotWorker

from pageworker_profiles.checkpoint import ProfileCheckpoint
from pageworker_profiles.errors import SnapshotKeyMissing, SnapshotStoreAway, StaleFence
from pageworker_profiles.snapshots.head import CheckpointRecord, ProfileHead

Worker = Callable[..., SnapshotWorker]
HELD = ProfileCheckpoint(b'{"cookies": "secret login"}', 1000.5)


async def killed(worker: SnapshotWorker, fence: int, held: ProfileCheckpoint = HELD) -> None:
    """A browser that hands over a checkpoint and is killed."""
    lease = await worker.open(fence)
    await worker.profiles.keep_checkpoint(lease, fence, held)
    await worker.close(lease, fence, clean=False)


async def found(worker: SnapshotWorker, fence: int, *, clean: bool = False) -> ProfileCheckpoint | None:
    """What the next browser gets."""
    lease = await worker.open(fence)
    await worker.close(lease, fence, clean=clean)
    return lease.checkpoint


def objects(store: Path) -> list[Path]:
    return list((store / "acme/p").glob("*.checkpoint"))


async def head_of(worker: SnapshotWorker) -> ProfileHead:
    head = await worker.snapshots.head("acme", "p")
    assert head is not None
    return head


async def test_another_worker_gets_it_with_the_last_snapshot_until_a_browser_ends_normally(
    worker: Worker, store: Path
) -> None:
    a, b = worker("a"), worker("b")
    await a.visit(1, "good")
    await killed(a, 2)
    assert b"secret login" not in objects(store)[0].read_bytes()
    assert await found(b, 3) == HELD
    assert await found(worker("a"), 4, clean=True) == HELD
    assert objects(store) == []
    assert await found(b, 5) is None
    assert await b.visit(6) == "good"


async def test_a_new_profile_has_one_before_its_first_snapshot(worker: Worker) -> None:
    await killed(worker("a"), 1)
    assert await found(worker("b"), 2) == HELD


async def test_only_the_newest_one_stays(worker: Worker, store: Path) -> None:
    a = worker("a")
    newer = ProfileCheckpoint(b"newer", 2000.0)
    await killed(a, 1)
    await killed(a, 2, newer)
    assert len(objects(store)) == 1
    assert await found(worker("b"), 3) == newer


async def test_a_suspended_worker_that_wakes_stores_none(worker: Worker, store: Path) -> None:
    a, b = worker("a"), worker("b")
    await a.visit(1, "x")
    lease = await a.open(2)
    other = await b.open(3)
    await b.profiles.keep_checkpoint(other, 3, HELD)
    with pytest.raises(StaleFence):
        await a.profiles.keep_checkpoint(lease, 2, ProfileCheckpoint(b"late", 1.0))
    assert len(objects(store)) == 1
    await b.close(other, 3, clean=False)
    await a.close(lease, 2, clean=False)
    assert await found(b, 4) == HELD


@pytest.mark.parametrize("missing", [True, False])
async def test_one_that_was_changed_is_dropped_and_the_snapshot_is_used(
    worker: Worker, store: Path, missing: bool
) -> None:
    a, b = worker("a"), worker("b")
    await a.visit(1, "good")
    await killed(a, 2)
    (file,) = objects(store)
    if missing:
        file.unlink()
    else:
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)
    assert await found(b, 3) is None
    assert b.failed == ["fetch SnapshotTampered"]
    assert [name for name, _ in b.refused] == [file.stem]
    assert (await head_of(b)).checkpoint is None
    assert await b.visit(4) == "good"


async def test_one_of_another_profile_is_refused(worker: Worker, store: Path) -> None:
    a = worker("a")
    await killed(a, 1)
    (file,) = objects(store)
    other = store / "acme/q"
    other.mkdir()
    # All of it, its head too: only the encryption tells.
    for each in (file, store / "acme/p/head.json"):
        (other / each.name).write_bytes(each.read_bytes())
    lease = await a.open(2, profile_id="q")
    assert lease.checkpoint is None
    assert a.failed == ["fetch SnapshotTampered"]
    await a.close(lease, 2)


async def test_without_its_key_the_profile_waits(worker: Worker) -> None:
    await killed(worker("a"), 1)
    with pytest.raises(SnapshotKeyMissing):
        await worker("b", keys=Keys(bytes(32))).open(2)
    assert await found(worker("c", keys=Keys(bytes(32), bytes(range(32)))), 3) == HELD


async def test_a_store_that_is_away_keeps_the_one_before(worker: Worker, store: Path) -> None:
    a = worker("a")
    lease = await a.open(1)
    await a.profiles.keep_checkpoint(lease, 1, HELD)
    hidden = store.rename(store.with_name("hidden"))
    with pytest.raises(SnapshotStoreAway):
        await a.profiles.keep_checkpoint(lease, 1, ProfileCheckpoint(b"newer", 2000.0))
    hidden.rename(store)
    await a.close(lease, 1, clean=False)
    assert await found(worker("b"), 2) == HELD


@pytest.mark.parametrize("command", ["quarantine", "restore", "roll_back"])
async def test_a_state_that_a_person_chooses_does_not_get_it(worker: Worker, command: str) -> None:
    a = worker("a")
    await a.visit(1, "one")
    await a.visit(2, "two")
    await killed(a, 3)
    if command == "quarantine":
        await a.snapshots.quarantine("acme", "p", "logged out", 4)
    elif command == "roll_back":
        await a.snapshots.roll_back("acme", "p", "logged out")
    else:
        assert await a.snapshots.restore("acme", "p", (await head_of(a)).snapshots[-1].id)
    lease = await a.open(5)
    assert lease.checkpoint is None
    assert (lease.path / "Default/Preferences").read_text() == "one"
    await a.close(lease, 5)


async def test_the_sweep_keeps_the_one_that_the_head_names(worker: Worker, store: Path) -> None:
    a = worker("a")
    await killed(a, 1)
    (named,) = objects(store)
    old = named.with_name(f"{'9' * 20}-{'0' * 16}.checkpoint")
    old.write_bytes(b"left by a crash")
    a.snapshots._clock = lambda: 4e9
    assert await a.snapshots.sweep("acme", "p") == 1
    assert objects(store) == [named]


def test_a_head_of_before_has_none() -> None:
    assert ProfileHead(fence=1).checkpoint is None
    record = CheckpointRecord(id="x", fence=1, bytes=1, sha256="", key_id="", taken_at=1.0)
    assert ProfileHead(fence=1, checkpoint=record).good == ()
