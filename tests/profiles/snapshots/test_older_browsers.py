"""A worker with an older browser leaves a profile of a newer one as it is, in the store and on its disk."""

from pathlib import Path

import pytest
from pw_profiles import Homes, SnapshotWorker, act_in_process, put

from pageworker_profiles.browser_version import FILE, BrowserVersion
from pageworker_profiles.errors import BrowserOlder
from pageworker_profiles.snapshots.folder_objects import FolderObjects

OLD, SAME, NEW = (BrowserVersion(major, 0, 1, 2) for major in (149, 150, 151))
"""The workers' snapshots are those of browser 150.0.1.2."""


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[SnapshotWorker, SnapshotWorker]:
    act_in_process(monkeypatch)
    (tmp_path / "store").mkdir()
    homes = Homes()
    one, other = (SnapshotWorker(name, tmp_path / name, FolderObjects(tmp_path / "store"), homes) for name in "ab")
    return one, other


async def refused(worker: SnapshotWorker, fence: int, browser: BrowserVersion = OLD) -> None:
    with pytest.raises(BrowserOlder):
        await worker.profiles.open("acme", "p", fence, None, browser)


async def test_the_head_tells_before_anything_is_fetched_or_changed(
    workers: tuple[SnapshotWorker, SnapshotWorker],
) -> None:
    one, other = workers
    await one.visit(1, "x")
    head = await one.snapshots.head("acme", "p")
    await refused(other, 2)
    assert await one.snapshots.head("acme", "p") == head
    assert (other.moved, other.aside, other.failed) == ([], [], ["fetch BrowserOlder"])
    for fence, browser in ((3, SAME), (4, NEW)):
        await other.close(await other.profiles.open("acme", "p", fence, None, browser), fence)


async def test_a_newer_browser_leaves_the_snapshot_before(workers: tuple[SnapshotWorker, SnapshotWorker]) -> None:
    one, other = workers
    await one.visit(1, "of 150")
    lease = await other.profiles.open("acme", "p", 2, None, NEW)
    put(lease.path, "of 151")
    await other.profiles.release(lease, 2, clean=True, browser_version=str(NEW))
    lease.close()
    await refused(one, 3, SAME)
    await one.snapshots.roll_back("acme", "p", "the new browser is withdrawn")
    lease = await one.profiles.open("acme", "p", 4, None, SAME)
    assert (lease.path / "Default/Preferences").read_text() == "of 150"
    lease.close()


async def test_a_folder_from_before_the_store_is_stored_for_a_worker_with_a_newer_browser(
    workers: tuple[SnapshotWorker, SnapshotWorker], tmp_path: Path
) -> None:
    one, other = workers
    before = tmp_path / "a/acme/p/data"
    before.mkdir(parents=True)
    put(before, "from before")
    (before / FILE).write_text(str(NEW))
    for fence in (1, 2, 3):
        await refused(one, fence)
        assert (before / "Default/Preferences").read_text() == "from before"
    assert (one.moved, one.aside) == (["publish"], []), "no browser had it, so it is not set aside"
    await refused(other, 4)
    lease = await other.profiles.open("acme", "p", 5, None, NEW)
    assert (lease.path / "Default/Preferences").read_text() == "from before"
    lease.close()
