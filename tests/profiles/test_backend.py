"""Both kinds of stores have the interface that a worker uses."""

from pathlib import Path

from pw_profiles import Homes, SnapshotWorker

from pageworker_profiles import ProfileFolders
from pageworker_profiles.backend import ProfileBackend
from pageworker_profiles.snapshots.folder_objects import FolderObjects


async def test_what_a_browser_leaves_is_found_by_the_next_one(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    backends: list[ProfileBackend] = [
        ProfileFolders(tmp_path / "local"),
        SnapshotWorker("a", tmp_path / "a", FolderObjects(tmp_path / "store"), Homes()).profiles,
    ]
    for backend in backends:
        lease = await backend.open("acme", "p", 1, None)
        (lease.path / "x").write_text("x")
        assert (await backend.measure(lease.path)).files == 2, "and the marker of this opening"
        await backend.release(lease, 1, clean=True, browser_version="1")
        lease.close()
        lease = await backend.open("acme", "p", 2, None)
        assert (lease.path / "x").read_text() == "x"
        lease.close()
