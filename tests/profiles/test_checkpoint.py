"""The checkpoint of a local profile: it is there for the next opening until a browser ends normally."""

from pathlib import Path

import pytest
from pw_profiles import act_in_process

from pageworker_profiles import ProfileStore
from pageworker_profiles.checkpoint import ProfileCheckpoint, facts, read, remove, write
from pageworker_profiles.errors import StoreDenied, StoreFull
from pageworker_profiles.folders import ProfileFolders

ONE, TWO = ProfileCheckpoint(b"one", 1000.0), ProfileCheckpoint(b"two", 2000.5)


def test_the_newest_one_is_kept_with_its_time(tmp_path: Path) -> None:
    assert (read(tmp_path), facts(tmp_path)) == (None, None)
    # What a crash left while the file was written.
    (tmp_path / "checkpoint.new").write_bytes(b"half")
    for checkpoint in (ONE, TWO):
        write(tmp_path, checkpoint)
        assert read(tmp_path) == checkpoint
        assert facts(tmp_path) == (3, checkpoint.taken_at)
    assert [file.stat().st_mode & 0o777 for file in tmp_path.iterdir()] == [0o600]
    for _ in range(2):
        remove(tmp_path)
    assert read(tmp_path) is None


def test_a_disk_that_is_full_keeps_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, ONE)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreFull):
        write(tmp_path, TWO)
    assert read(tmp_path) == ONE


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(StoreDenied):
        read(tmp_path)


@pytest.mark.parametrize("clean", [True, False])
async def test_the_next_opening_has_it_unless_the_browser_ended_normally(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean: bool
) -> None:
    act_in_process(monkeypatch)
    folders = ProfileFolders(tmp_path)
    with await folders.open("acme", "p", 1, None) as lease:
        assert lease.checkpoint is None
        await folders.keep_checkpoint(lease, 1, ONE)
        await folders.release(lease, 1, clean=clean, browser_version="")
    # Until a browser ends normally: the next one may be killed before its own first checkpoint.
    for fence in (2, 3):
        with await folders.open("acme", "p", fence, None) as lease:
            assert lease.checkpoint == (None if clean else ONE)


def test_a_quarantined_profile_does_not_come_back_by_its_checkpoint(tmp_path: Path) -> None:
    store = ProfileStore(tmp_path)
    with store.open("acme", "p", None, None) as lease:
        write(lease.path.parent, ONE)
        store.quarantine(lease, "logged out")
        assert read(lease.path.parent) is None
