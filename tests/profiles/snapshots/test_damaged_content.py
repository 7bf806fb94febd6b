"""A profile with a damaged database is never published, and the snapshot before it counts."""

from pathlib import Path

import pytest
from pw_profiles import Homes, SnapshotWorker, act_in_process, put

from pageworker_profiles.errors import ContentDamaged, SnapshotsUnusable
from pageworker_profiles.folders import ProfileFolders
from pageworker_profiles.lease import ProfileLease
from pageworker_profiles.snapshots.folder_objects import FolderObjects


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SnapshotWorker:
    act_in_process(monkeypatch)
    (tmp_path / "store").mkdir()
    return SnapshotWorker("a", tmp_path / "a", FolderObjects(tmp_path / "store"), Homes())


def damage(folder: Path) -> None:
    """A database that its browser would drop."""
    (folder / "Default").mkdir(exist_ok=True)
    (folder / "Default/Cookies").write_bytes(b"no database")


async def leave(worker: SnapshotWorker, fence: int, text: str) -> None:
    """A browser that is closed normally leaves a damaged profile."""
    lease = await worker.open(fence)
    put(lease.path, text)
    damage(lease.path)
    await worker.close(lease, fence)


async def test_a_damaged_profile_is_set_aside_and_the_snapshot_before_is_used(worker: SnapshotWorker) -> None:
    await worker.visit(1, "good")
    await leave(worker, 2, "damaged")
    assert worker.failed == ["publish ContentDamaged"]
    assert "'Default/Cookies' is damaged" in worker.damaged[0]
    assert await worker.visit(3) == "good"
    (kept,) = (worker.root / "acme/p/aside").iterdir()
    assert "'Default/Cookies' is damaged" in (kept / "reason.txt").read_text()
    assert (kept / "data/Default/Preferences").read_text() == "damaged"


async def test_a_snapshot_that_is_damaged_is_marked_bad_and_the_one_before_is_used(
    worker: SnapshotWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await worker.visit(1, "good")
    with monkeypatch.context() as unchecked:

        async def check(self: ProfileFolders, lease: ProfileLease, folder: Path | None = None) -> None:
            """As a worker of the version before."""

        unchecked.setattr(ProfileFolders, "check", check)
        await leave(worker, 2, "damaged")
    other = SnapshotWorker("b", tmp_path / "b", FolderObjects(tmp_path / "store"), Homes())
    assert await other.visit(3) == "good"
    assert other.failed == ["fetch ContentDamaged"]
    assert len(other.damaged) == len(other.refused) == 1
    head = await other.snapshots.head("acme", "p")
    assert head is not None
    assert [bool(record.bad) for record in head.snapshots] == [False, True, False]
    (bad,) = (record for record in head.snapshots if record.bad)
    assert "'Default/Cookies' is damaged" in bad.bad


async def test_a_folder_from_before_the_store_that_is_damaged_is_never_replaced_by_an_empty_one(
    worker: SnapshotWorker, tmp_path: Path
) -> None:
    with await ProfileFolders(worker.root).open("acme", "p", 1, None) as lease:
        damage(lease.path)
    for fence in (2, 3):
        with pytest.raises(ContentDamaged):
            await worker.open(fence)
    assert (worker.root / "acme/p/data/Default/Cookies").read_bytes() == b"no database"
    assert worker.aside == []


async def test_a_profile_whose_only_snapshot_is_damaged_is_never_empty(
    worker: SnapshotWorker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as unchecked:

        async def check(self: ProfileFolders, lease: ProfileLease, folder: Path | None = None) -> None:
            """As a worker of the version before."""

        unchecked.setattr(ProfileFolders, "check", check)
        await leave(worker, 1, "damaged")
    other = SnapshotWorker("b", tmp_path / "b", FolderObjects(tmp_path / "store"), Homes())
    for fence in (2, 3):
        with pytest.raises(SnapshotsUnusable):
            await other.open(fence)
