"""Leases: what is held, and that it is released once."""

import fcntl
import os
from pathlib import Path

import pytest

from pageworker_profiles import ProfileBusy, ProfileStore


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
