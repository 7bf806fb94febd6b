"""The actions of the folder worker: results and errors as plain data."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pageworker_profiles import ProfileTampered, opening_marker, walks
from pageworker_profiles.browser_version import FILE
from pageworker_profiles.sizes import FolderSize

NO_OWNER = (-1, -1)


@pytest.fixture
def descriptor(folder: Path) -> Iterator[int]:
    opened = os.open(folder, os.O_PATH)
    yield opened
    os.close(opened)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data/sub").mkdir(parents=True)
    (tmp_path / "data/sub/file").write_bytes(bytes(5000))
    return tmp_path / "data"


def test_measuring_counts_files_folders_and_bytes(folder: Path) -> None:
    found = walks.answer("measure", folder, [10, 10**6])
    assert found["files"] == 2
    assert 5000 <= found["bytes"] <= 50_000


def test_a_breach_is_told_with_both_amounts(folder: Path) -> None:
    found = walks.answer("measure", folder, [1, 10**6])
    assert found["error"] == "ProfileTooLarge"
    assert found["fields"] == {"used": 2, "allowed": 1, "unit": "files"}
    assert "profiles.max_files" in found["text"]


def test_preparing_removes_the_lock_of_a_dead_browser(folder: Path, descriptor: int) -> None:
    for name in walks.SINGLETONS:
        (folder / name).symlink_to("otherhost-4711")
    assert walks.answer("prepare", folder, [10, 10**6, *NO_OWNER, descriptor, 1])["files"] == 2 + len(walks.SINGLETONS)
    assert {path.name for path in folder.iterdir()} == {"sub", opening_marker.FILE}


def test_a_folder_in_the_place_of_that_lock_is_tampering(folder: Path, descriptor: int) -> None:
    (folder / walks.SINGLETONS[0]).mkdir()
    with pytest.raises(ProfileTampered, match="quarantine"):
        walks.prepare(folder, descriptor, FolderSize(10, 10**6), *NO_OWNER)


@pytest.mark.parametrize("owner", [NO_OWNER, (261_500, 261_500)])
def test_a_profile_of_a_newer_browser_is_refused_and_left_as_it_is(
    folder: Path, descriptor: int, owner: tuple[int, int]
) -> None:
    (folder / FILE).write_text("156.0.1.2")
    (folder / walks.SINGLETONS[0]).symlink_to("otherhost-4711")
    before = folder.stat()
    found = walks.answer("prepare", folder, [10, 10**6, *owner, descriptor, 1, 155, 9, 9, 9])
    assert (found["error"], found["fields"]) == ("BrowserOlder", {"browser": "155.9.9.9", "wrote": "156.0.1.2"})
    assert (folder.stat(), (folder / walks.SINGLETONS[0]).is_symlink()) == (before, True)
    assert "error" not in walks.answer("prepare", folder, [10, 10**6, *NO_OWNER, descriptor, 1, 156, 0, 1, 2])


@pytest.mark.parametrize("owner", [NO_OWNER, (os.geteuid(), os.getegid())])
def test_preparing_follows_the_descriptor_and_no_name(folder: Path, descriptor: int, owner: tuple[int, int]) -> None:
    (folder / walks.SINGLETONS[0]).symlink_to("otherhost-4711")
    moved = folder.rename(folder.parent / "moved")
    folder.symlink_to(folder.parent)
    assert walks.answer("prepare", folder, [10, 10**6, *owner, descriptor, 1])["files"] == 3
    assert {path.name for path in moved.iterdir()} == {"sub", opening_marker.FILE}


def test_removing_leaves_nothing_and_may_come_too_late(folder: Path) -> None:
    for _ in range(2):
        assert walks.answer("remove", folder, []) == {"files": 0, "bytes": 0}
    assert not folder.exists()


def test_a_folder_that_is_missing_is_an_error_as_data(tmp_path: Path) -> None:
    assert walks.answer("measure", tmp_path / "missing", [1, 1])["error"] == "StoreDamaged"


def test_an_unknown_action_is_a_bug() -> None:
    with pytest.raises(ValueError, match="paint"):
        walks.answer("paint", Path("/nonexistent"), [])
