"""The marker of an opening is new each time, whatever a runner has left in its place."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pageworker_profiles import ProfileFolders, ProfileTampered
from pageworker_profiles.opening_marker import FILE, marker_text, new_marker, put
from pageworker_profiles.snapshots.caches import is_cache
from pageworker_runner.browser import profile_marker


def put_at(data: Path, marker: int) -> str:
    folder = os.open(data, os.O_PATH)
    try:
        put(data, folder, marker)
    finally:
        os.close(folder)
    return (data / FILE).read_text()


@pytest.mark.parametrize(
    "left",
    [
        lambda file: None,
        lambda file: file.write_text("forged"),
        lambda file: file.symlink_to("/etc/hostname"),
        lambda file: os.mkfifo(file),
        lambda file: file.symlink_to("nowhere"),
    ],
)
def test_it_replaces_what_a_runner_left(tmp_path: Path, left: Callable[[Path], object]) -> None:
    left(tmp_path / FILE)
    assert put_at(tmp_path, 0xAB) == "00000000000000ab"
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o444
    assert not (tmp_path / FILE).is_symlink()


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(ProfileTampered, match="is a folder"):
        put_at(tmp_path, 1)


async def test_each_opening_has_its_own(tmp_path: Path) -> None:
    folders, markers = ProfileFolders(tmp_path), set()
    for _ in range(2):
        with await folders.open("acme", "p", None, None) as lease:
            assert (lease.path / FILE).read_text() == lease.marker
            markers.add(lease.marker)
    assert len(markers) == 2
    assert marker_text(new_marker()) != marker_text(new_marker())


def test_the_runner_looks_for_the_same_file_and_no_snapshot_holds_it() -> None:
    assert profile_marker.FILE == FILE
    assert is_cache(FILE)
