"""Kernel locks: one holder, its name, and files that are replaced meanwhile."""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from pageworker_profiles import ProfileBusy, ProfileStore
from pageworker_profiles.locks import Lock, holder


def test_what_the_daemon_starts_does_not_inherit_the_lock(tmp_path: Path) -> None:
    store = ProfileStore(tmp_path)
    lease = store.open("acme", "shop", 1, None)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        lease.close()
        store.open("acme", "shop", 1, None).close()
        assert child.poll() is None


def test_a_lock_on_a_profile_that_was_just_removed_is_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ProfileStore(tmp_path / "store")
    flock = fcntl.flock

    def removed_meanwhile(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        (tmp_path / "store/acme/shop").rename(tmp_path / "gone")
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", removed_meanwhile)
    with store.open("acme", "shop", 1, None), pytest.raises(ProfileBusy):
        store.open("acme", "shop", 1, None)
    assert (tmp_path / "gone/lock").exists()


def test_a_second_lock_is_none_until_the_first_is_released(tmp_path: Path) -> None:
    first = Lock.take(tmp_path / "lock")
    assert first is not None
    assert Lock.take(tmp_path / "lock") is None
    first.release()
    first.release()
    second = Lock.take(tmp_path / "lock")
    assert second is not None
    second.release()


def test_the_holder_is_named_and_an_unreadable_name_is_another_process(tmp_path: Path) -> None:
    lock = Lock.take(tmp_path / "lock")
    assert lock is not None
    assert holder(tmp_path / "lock").startswith(f"pid {os.getpid()} on ")
    lock.release()
    for content in (b"", b"{}", b"[1]", b"\xff"):
        (tmp_path / "lock").write_bytes(content)
        assert holder(tmp_path / "lock") == "another process"
    assert holder(tmp_path / "missing") == "another process"


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").touch()
    (tmp_path / "lock").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic links"):
        Lock.take(tmp_path / "lock")
