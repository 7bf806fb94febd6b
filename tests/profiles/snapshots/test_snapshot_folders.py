"""Profiles that move between workers by snapshots: what the next worker gets, whatever happened to the last one."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest
from profiles.snapshots.conftest import Worker
from pw_profiles import KEY, Keys, put

from pageworker_profiles.errors import (
    ProfileElsewhere,
    ProfileTooLarge,
    SnapshotKeyMissing,
    SnapshotStoreAway,
    SnapshotsUnusable,
    StaleFence,
)
from pageworker_profiles.snapshots.folder_objects import FolderObjects


def containers(store: Path) -> list[Path]:
    return sorted((store / "acme/p").glob("*.snapshot"))


async def test_the_next_worker_has_what_the_last_one_left(worker: Worker, store: Path) -> None:
    a, b = worker("a"), worker("b")
    assert await a.visit(1, "logged in") == ""
    assert await b.visit(2, "twice") == "logged in"
    assert await a.visit(3) == "twice"
    assert a.moved == ["publish", "fetch", "publish"]
    head = await a.snapshots.head("acme", "p")
    assert head is not None
    assert (head.fence, head.holder, [one.fence for one in head.snapshots]) == (3, None, [3, 2, 1])
    assert head.snapshots[0].browser_version == "150.0.1.2"
    assert b"logged in" not in b"".join(file.read_bytes() for file in containers(store))


async def test_a_folder_that_is_the_newest_snapshot_is_not_fetched_again(worker: Worker) -> None:
    a = worker("a")
    await a.visit(1, "x")
    assert await worker("a").visit(2) == "x"
    assert "fetch" not in a.moved


async def test_while_it_is_open_the_head_names_the_holder(worker: Worker) -> None:
    a = worker("a")
    lease = await a.open(4)
    head = await a.snapshots.head("acme", "p")
    assert head is not None
    assert head.holder is not None
    assert (head.fence, head.holder.worker, head.holder.host) == (4, "a", "host of a")
    await a.close(lease, 4)


async def test_a_suspended_worker_that_wakes_cannot_publish(worker: Worker) -> None:
    a, b = worker("a"), worker("b")
    await a.visit(1, "one")
    lease = await a.open(2)
    put(lease.path, "of the suspended one")
    assert await b.visit(3, "three") == "one"
    await a.close(lease, 2)
    assert a.failed == ["publish StaleFence"]
    with pytest.raises(StaleFence):
        await a.open(2)
    assert await a.visit(4) == "three"
    assert len(a.aside) == 1, "what it wrote is kept, and not used"
    (kept,) = (a.root / "acme/p/aside").glob("*/data/Default/Preferences")
    assert kept.read_text() == "of the suspended one"


async def test_the_fence_counts_from_the_opening_on_not_from_the_publication(worker: Worker) -> None:
    a, b = worker("a"), worker("b")
    lease = await a.open(1)
    put(lease.path, "late")
    other = await b.open(2)
    await a.close(lease, 1)
    assert a.failed == ["publish StaleFence"]
    await b.close(other, 2)


async def test_after_a_kill_the_last_good_snapshot_counts(worker: Worker) -> None:
    a, b = worker("a"), worker("b")
    await a.visit(1, "good")
    await a.visit(2, "half written", clean=False)
    assert await b.visit(3) == "good"
    assert await worker("a").visit(4) == "good"
    # On the same worker, without another one in between.
    await b.visit(5, "half written", clean=False)
    assert await b.visit(6) == "good"


async def test_a_worker_that_was_killed_while_the_profile_was_open_does_not_trust_its_folder(worker: Worker) -> None:
    a = worker("a")
    await a.visit(1, "good")
    lease = await a.open(2)
    put(lease.path, "half written")
    lease.close()  # the kernel drops the lock of a killed process
    again = worker("a")
    assert await again.visit(3) == "good"
    assert len(again.aside) == 1


async def test_of_what_killed_browsers_left_only_the_newest_two_are_kept(worker: Worker) -> None:
    a = worker("a")
    await a.visit(1, "good")
    for fence in range(2, 6):
        await a.visit(fence, f"bad {fence}", clean=False)
    await a.visit(6)
    assert len(a.aside) == 4
    assert len(list((a.root / "acme/p/aside").iterdir())) == 2


async def test_a_new_profile_whose_first_browser_was_killed_begins_again(worker: Worker) -> None:
    a, b = worker("a"), worker("b")
    await a.visit(1, "never stored", clean=False)
    assert await b.visit(2, "first") == ""
    assert await a.visit(3) == "first"


@pytest.mark.parametrize("at", [0, 40, -1])
async def test_a_flipped_byte_is_found_and_the_snapshot_before_is_used(worker: Worker, store: Path, at: int) -> None:
    a, b = worker("a"), worker("b")
    await a.visit(1, "before")
    await a.visit(2, "newest")
    newest = containers(store)[-1]
    data = bytearray(newest.read_bytes())
    data[at] ^= 1
    newest.write_bytes(data)
    assert await b.visit(3) == "before"
    assert [snapshot for snapshot, _ in b.refused] == [newest.stem]
    head = await b.snapshots.head("acme", "p")
    assert head is not None
    assert [bool(one.bad) for one in head.snapshots] == [False, True, False], "it is marked, and kept"
    assert newest.exists()


async def test_a_changed_container_is_refused_even_if_the_head_was_changed_to_match(
    worker: Worker, store: Path
) -> None:
    import hashlib

    a, b = worker("a"), worker("b")
    await a.visit(1, "before")
    await a.visit(2, "newest")
    newest = containers(store)[-1]
    changed = bytearray(newest.read_bytes())
    changed[50] ^= 1
    old = hashlib.sha256(newest.read_bytes()).hexdigest()
    head = store / "acme/p/head.json"
    head.write_text(head.read_text().replace(old, hashlib.sha256(changed).hexdigest()))
    newest.write_bytes(changed)
    assert await b.visit(3) == "before"
    assert "changed, or is that of another" in b.refused[0][1]


async def test_a_missing_container_is_passed_over(worker: Worker, store: Path) -> None:
    a, b = worker("a"), worker("b")
    await a.visit(1, "before")
    await a.visit(2, "newest")
    containers(store)[-1].unlink()
    assert await b.visit(3) == "before"


async def test_a_profile_without_a_usable_snapshot_is_never_empty(worker: Worker, store: Path) -> None:
    await worker("a").visit(1, "only")
    containers(store)[0].write_bytes(b"")
    b = worker("b")
    for fence in (2, 3):
        with pytest.raises(SnapshotsUnusable):
            await b.open(fence)


async def test_a_profile_whose_head_has_vanished_is_never_empty(worker: Worker, store: Path) -> None:
    await worker("a").visit(1, "x")
    shutil.rmtree(store / "acme")
    b = worker("b")
    for fence in (2, 3):
        with pytest.raises(SnapshotsUnusable, match="names none now"):
            await b.open(fence)


async def test_a_store_that_is_away_defers_and_never_gives_an_empty_profile(worker: Worker, store: Path) -> None:
    a = worker("a")
    await a.visit(1, "x")
    hidden = store.rename(store.with_name("hidden"))
    for each in (a, worker("b")):
        with pytest.raises(SnapshotStoreAway) as caught:
            await each.open(2)
        assert caught.value.retryable
    hidden.rename(store)
    assert await worker("b").visit(3) == "x"


async def test_a_store_that_is_slow_is_away(worker: Worker, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    never = asyncio.Event()

    async def read(self: FolderObjects, name: str, most_bytes: int) -> None:
        await never.wait()

    a = worker("a", seconds=0.05)
    monkeypatch.setattr(FolderObjects, "read", read)
    with pytest.raises(SnapshotStoreAway, match=r"within 0\.05 s"):
        await a.open(1)


async def test_no_more_snapshots_stay_in_the_store_than_are_kept(worker: Worker, store: Path) -> None:
    a = worker("a", keep=2)
    for fence in range(1, 6):
        await a.visit(fence, str(fence))
    assert [int(file.name.split("-")[0]) for file in containers(store)] == [4, 5]


async def test_a_container_that_no_head_names_is_deleted_once_it_is_old(worker: Worker, store: Path) -> None:
    a = worker("a")
    await a.visit(1, "x")
    old, young = (store / "acme/p" / f"{name * 20}-{'0' * 16}.snapshot" for name in "89")
    old.write_bytes(b"old")
    young.write_bytes(b"young")
    os.utime(old, (1, 1))
    await a.visit(2, "y")
    assert not old.exists()
    assert young.exists()
    assert len(containers(store)) == 3


async def test_a_rollback_and_a_restoration_count_at_the_next_opening(worker: Worker) -> None:
    a = worker("a")
    await a.visit(1, "one")
    await a.visit(2, "two")
    assert await a.snapshots.roll_back("acme", "nobody", "x") is None
    bad = await a.snapshots.roll_back("acme", "p", "logged out")
    assert bad is not None
    assert bad.fence == 2
    assert await a.visit(3) == "one"
    assert await a.snapshots.restore("acme", "p", bad.id)
    assert not await a.snapshots.restore("acme", "p", "none")
    assert await worker("b").visit(4) == "two"


async def test_an_older_key_stays_readable_and_an_unknown_one_defers(worker: Worker) -> None:
    new = KEY[::-1]
    await worker("a").visit(1, "x")
    with pytest.raises(SnapshotKeyMissing):
        await worker("b", keys=Keys(new)).open(2)
    assert await worker("b", keys=Keys(new, KEY)).visit(3, "y") == "x"
    head = await worker("b").snapshots.head("acme", "p")
    assert head is not None
    assert len({one.key_id for one in head.snapshots}) == 2
    assert await worker("a", keys=Keys(new)).visit(4) == "y"


async def test_a_profile_that_is_too_large_to_publish_stays_and_names_the_limit(worker: Worker, store: Path) -> None:
    a = worker("a")
    await a.visit(1, "good")
    lease = await a.open(2)
    for number in range(1001):
        (lease.path / str(number)).touch()
    await a.close(lease, 2)
    assert a.failed == ["publish ProfileTooLarge"]
    with pytest.raises(ProfileTooLarge):
        await a.open(3)
    assert await worker("b").visit(4) == "good"


async def test_a_folder_from_before_the_store_is_how_its_profile_begins(worker: Worker, tmp_path: Path) -> None:
    put_before = tmp_path / "a/acme/p/data"
    put_before.mkdir(parents=True)
    put(put_before, "from before")
    a, b = worker("a"), worker("b")
    assert await a.visit(1, "half written", clean=False) == "from before"
    assert await b.visit(2, "published") == "from before"
    assert await a.visit(3) == "published"


async def test_a_folder_from_before_the_store_is_waited_for(worker: Worker, store: Path, tmp_path: Path) -> None:
    put_before = tmp_path / "a/acme/p/data"
    put_before.mkdir(parents=True)
    put(put_before, "from before")
    a, b = worker("a", keys=Keys()), worker("b")
    a.keys.keys.clear()
    with pytest.raises(SnapshotKeyMissing):
        await a.open(1)
    with pytest.raises(ProfileElsewhere):
        await b.open(2)
    a.keys.keys.append(KEY)
    assert await a.visit(3, "published") == "from before"
    assert await b.visit(4) == "published"


async def test_removing_ends_what_is_open_elsewhere(worker: Worker, store: Path) -> None:
    a = worker("a")
    await a.visit(1, "x")
    lease = await a.open(2)
    assert await a.snapshots.remove("acme", "p")
    assert not await a.snapshots.remove("acme", "p")
    await a.close(lease, 2)
    assert (a.failed, containers(store)) == (["publish StaleFence"], [])


async def test_the_store_lists_its_profiles(worker: Worker) -> None:
    a = worker("a")
    for profile in ("Shop", "b"):
        await a.close(await a.open(1, profile), 1)
    assert await a.snapshots.tenants() == ["acme"]
    assert [await a.snapshots.profiles(tenant) for tenant in ("acme", "other")] == [["Shop", "b"], []]


async def test_all_workers_see_one_store(worker: Worker, tmp_path: Path) -> None:
    assert len({await worker(name).snapshots.store_id() for name in "abc"}) == 1
