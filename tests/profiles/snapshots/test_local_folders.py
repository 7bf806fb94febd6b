"""The local folder of an open profile: its mark, and how its data is replaced."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pw_profiles import act_in_process

from pageworker_profiles import opening_marker
from pageworker_profiles.errors import StoreDamaged
from pageworker_profiles.folders import ProfileFolders
from pageworker_profiles.lease import ProfileLease
from pageworker_profiles.snapshots.local_copy import FILE, LocalCopy
from pageworker_profiles.snapshots.local_folders import LocalFolders

COPY = LocalCopy(state="open", store="s", fence=1)


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalFolders:
    act_in_process(monkeypatch)
    return LocalFolders(ProfileFolders(tmp_path))


@pytest.fixture
async def lease(tmp_path: Path, local: LocalFolders) -> AsyncIterator[ProfileLease]:
    with await ProfileFolders(tmp_path).open("acme", "p", 1, None) as opened:
        yield opened


async def test_the_mark_is_what_was_written_last(local: LocalFolders, lease: ProfileLease) -> None:
    assert await local.copy(lease) is None
    await local.mark(lease, COPY)
    assert await local.copy(lease) == COPY
    await local.drop_mark(lease)
    assert await local.copy(lease) is None
    (lease.path.parent / FILE).write_text("{")
    with pytest.raises(StoreDamaged):
        await local.copy(lease)


async def test_a_folder_that_is_replaced_loses_its_mark_first(local: LocalFolders, lease: ProfileLease) -> None:
    (lease.path / opening_marker.FILE).unlink()
    assert not await local.has_data(lease)
    (lease.path / "old").touch()
    assert await local.has_data(lease)
    await local.mark(lease, COPY)
    unpacked = await local.transfer_folder(lease) / "data"
    unpacked.mkdir()
    (unpacked / "new").touch()
    await local.replace(lease, unpacked)
    assert [file.name for file in lease.path.iterdir()] == ["new"]
    assert await local.copy(lease) is None
    assert lease.path.samefile(f"/proc/self/fd/{lease.folder_descriptor}"), "the lease has the new folder"


async def test_what_a_transfer_left_is_removed_before_the_next_one(local: LocalFolders, lease: ProfileLease) -> None:
    (await local.transfer_folder(lease) / "left").touch()
    folder = await local.transfer_folder(lease)
    assert list(folder.iterdir()) == []
    file = folder / "file"
    file.touch()
    for _ in range(2):
        await local.delete(file)
    assert not file.exists()
