"""Sizes of folders."""

from pageworker_profiles.sizes import MOST, FolderSize


def test_a_size_is_files_then_bytes_as_the_folder_worker_is_told() -> None:
    assert (*FolderSize(files=3, bytes=4),) == (3, 4)


def test_without_a_limit_files_are_bounded_and_bytes_are_the_disks() -> None:
    assert MOST.files < 10**6
    assert MOST.bytes > 2**62
