"""Leases: what is held, and that it is released once."""

import fcntl
import os
from pathlib import Path

import pytest

from pageworker_profiles import ProfileBusy, ProfileStore, StoreDamaged


@pytest.fixture
def store(tmp_path: Path) -> ProfileStore:
    return ProfileStore(tmp_path / "profiles")


def test_closing_twice_frees_no_other_lock(store: ProfileStore) -> None:
    first = store.open("acme", "shop", 1, None)
    first.close()
    with store.open("acme", "shop", 1, None):
        first.close()
        with pytest.raises(ProfileBusy):
            store.open("acme", "shop", 1, None)


def test_a_lease_names_its_profile_and_is_closed_by_its_context(store: ProfileStore) -> None:
    with pytest.raises(KeyError), store.open("acme", "shop", 1, None) as lease:
        assert (lease.tenant_id, lease.profile_id, lease.open) == ("acme", "shop", True)
        raise KeyError
    assert not lease.open
    with pytest.raises(ValueError, match="released"):
        _ = lease.lock_descriptor


def test_a_child_that_has_the_descriptor_holds_the_lock_too(store: ProfileStore) -> None:
    lease = store.open("acme", "shop", 1, None)
    copy = os.dup(lease.lock_descriptor)
    lease.close()
    with pytest.raises(ProfileBusy):
        store.open("acme", "shop", 1, None)
    fcntl.flock(copy, fcntl.LOCK_UN)
    os.close(copy)
    store.open("acme", "shop", 1, None).close()


def test_the_descriptor_is_of_the_folder_that_was_opened(store: ProfileStore, tmp_path: Path) -> None:
    with store.open("acme", "shop", 1, None) as lease:
        opened = lease.path.stat()
        lease.path.rename(tmp_path / "moved")
        lease.path.mkdir()
        assert os.path.samestat(os.fstat(lease.folder_descriptor), opened)
        lease.follow_path()
        assert os.path.samestat(os.fstat(lease.folder_descriptor), lease.path.stat())
        kept = lease.folder_descriptor
    with pytest.raises(ValueError, match="closed"):
        _ = lease.folder_descriptor
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(kept)


def test_a_link_in_the_place_of_the_data_is_refused(store: ProfileStore, tmp_path: Path) -> None:
    store.open("acme", "shop", 1, None).close()
    data = store.root / "acme" / "shop" / "data"
    data.rename(tmp_path / "moved")
    data.symlink_to(tmp_path / "moved")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(StoreDamaged):
        store.open("acme", "shop", 2, None)
    assert len(os.listdir("/proc/self/fd")) == before, "the lock is released"
