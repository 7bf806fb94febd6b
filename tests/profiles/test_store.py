"""Opening, fencing, listing, quarantine, removal, scratch."""

import os
import stat
from pathlib import Path

import pytest

from pageworker_profiles import (
    ProfileBusy,
    ProfileStore,
    StoreDenied,
)

UID = 261_500
ROOT = os.geteuid() == 0


@pytest.fixture
def store(tmp_path: Path) -> ProfileStore:
    return ProfileStore(tmp_path / "profiles")


def test_a_profile_keeps_its_data_and_is_held_once(store: ProfileStore) -> None:
    with store.open("acme", "shop", 1, None) as lease:
        assert lease.path == store.root / "acme" / "shop" / "data"
        assert stat.S_IMODE(lease.path.stat().st_mode) == 0o700
        (lease.path / "Cookies").write_text("session")
        with pytest.raises(ProfileBusy, match=f"pid {os.getpid()} on ") as busy:
            store.open("acme", "shop", 2, None)
        assert busy.value.retryable
        assert store.holder("acme", "shop") == busy.value.holder
        with store.open("other", "shop", 1, None) as another:
            assert not (another.path / "Cookies").exists()
    assert store.holder("acme", "shop") is None
    with store.open("acme", "shop", 1, None) as lease:
        assert (lease.path / "Cookies").read_text() == "session"


def test_the_runner_sees_neither_lock_nor_fence(store: ProfileStore) -> None:
    with store.open("acme", "shop", 7, None) as lease:
        assert list(lease.path.iterdir()) == []
        assert sorted(path.name for path in lease.path.parent.iterdir()) == ["data", "fence", "lock"]


def test_chromiums_stale_lock_is_removed_only_under_ours(store: ProfileStore) -> None:
    with store.open("acme", "shop", 1, None) as lease:
        for name in ("SingletonLock", "SingletonCookie", "SingletonSocket"):
            (lease.path / name).symlink_to("otherhost-4711")
        (lease.path / "Preferences").write_text("{}")
        with pytest.raises(ProfileBusy):
            store.open("acme", "shop", 2, None)
        assert (lease.path / "SingletonLock").is_symlink()
    with store.open("acme", "shop", 2, None) as lease:
        assert [path.name for path in lease.path.iterdir()] == ["Preferences"]


def test_quarantine_keeps_everything_and_starts_afresh(store: ProfileStore) -> None:
    with store.open("acme", "shop", 1, None) as lease:
        (lease.path / "Cookies").write_text("broken")
        one = store.quarantine(lease, "the browser would not start")
        (lease.path / "Cookies").write_text("broken again")
        two = store.quarantine(lease, "again")
        assert list(lease.path.iterdir()) == []
        with pytest.raises(ProfileBusy):
            store.open("acme", "shop", 1, None)
    assert one != two
    assert (one / "reason.txt").read_text() == "the browser would not start\n"
    assert (one / "data/Cookies").read_text() == "broken"
    with pytest.raises(ValueError, match="closed"):
        store.quarantine(lease, "too late")


def test_listing_and_size(store: ProfileStore) -> None:
    assert store.list("acme") == ()
    for profile_id in ("Shop", "shop", "..", "z" * 128, "Q" * 128):
        store.open("acme", profile_id, 1, None).close()
    store.open("zeta", "shop", 1, None).close()
    assert set(store.list("acme")) == {"Shop", "shop", "..", "z" * 128, "Q" * 128}
    assert store.tenants() == ("acme", "zeta")
    assert store.size_bytes("acme", "none") == 0
    with store.open("acme", "shop", 1, None) as lease:
        before = store.size_bytes("acme", "shop")
        (lease.path / "sub").mkdir()
        (lease.path / "sub/big").write_bytes(os.urandom(1 << 20))
        assert store.size_bytes("acme", "shop") - before >= 1 << 20


def test_removal(store: ProfileStore) -> None:
    assert not store.remove("acme", "shop")
    with store.open("acme", "shop", 5, None) as lease:
        (lease.path / "Cookies").write_text("x")
        with pytest.raises(ProfileBusy):
            store.remove("acme", "shop")
    assert store.remove("acme", "shop")
    assert store.list("acme") == ()
    assert list((store.root / ".trash").iterdir()) == []
    store.open("acme", "shop", 1, None).close()


@pytest.mark.skipif(not ROOT, reason="gives folders to other users")
def test_a_data_folder_belongs_to_its_runner_and_the_rest_does_not(store: ProfileStore) -> None:
    with store.open("acme", "shop", 1, UID) as lease:
        assert (lease.path.stat().st_uid, lease.path.stat().st_gid) == (UID, UID)
        for folder in (lease.path.parent, lease.path.parent.parent, store.root):
            assert folder.stat().st_uid == 0
            assert stat.S_IMODE(folder.stat().st_mode) == 0o711
        assert stat.S_IMODE((lease.path.parent / "lock").stat().st_mode) == 0o600


@pytest.mark.skipif(not ROOT, reason="becomes another user")
def test_without_permission(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir(mode=0o700)
    tmp_path.chmod(0o755)
    os.seteuid(UID)
    try:
        with pytest.raises(StoreDenied, match="daemon's user"):
            ProfileStore(tmp_path / "ours" / "profiles")
    finally:
        os.seteuid(0)


@pytest.mark.skipif(not ROOT, reason="becomes another user")
def test_an_unprivileged_store(tmp_path: Path) -> None:
    os.chown(tmp_path, UID, UID)
    for parent in tmp_path.parents:
        if stat.S_IMODE(parent.stat().st_mode) & 0o011 != 0o011:
            parent.chmod(stat.S_IMODE(parent.stat().st_mode) | 0o011)
    os.seteuid(UID)
    try:
        store = ProfileStore(tmp_path / "profiles")
        with store.open("acme", "shop", 1, UID) as lease:
            (lease.path / "locked").mkdir(mode=0o000)
            with pytest.raises(ProfileBusy):
                store.open("acme", "shop", 1, None)
        store.open("acme", "shop", 2, None).close()
        with pytest.raises(StoreDenied):
            store.open("acme", "shop", 3, UID + 1)
        with store.open("acme", "shop", 3, None) as lease:
            (lease.path / "a").mkdir()
            (lease.path / "a/b").write_text("")
            (lease.path / "a").chmod(0o500)
            lease.path.chmod(0o500)
        assert store.remove("acme", "shop")
        assert store.trash() == ()
    finally:
        os.seteuid(0)


def test_a_folder_that_replaces_the_data_keeps_it_aside(store: ProfileStore) -> None:
    def begin(text: str) -> Path:
        new = store.folder("acme", "shop") / "incoming"
        new.mkdir()
        (new / "Cookies").write_text(text)
        return new

    with store.open("acme", "shop", 1, None) as lease:
        assert store.replace(lease, begin("one"), "import") is None, "there was no data"
        aside = store.replace(lease, begin("two"), "import")
        assert aside is not None
        assert (aside / "data/Cookies").read_text() == "one"
        assert (aside / "reason.txt").read_text() == "import\n"
        assert os.path.samestat(os.fstat(lease.folder_descriptor), lease.path.stat()), "the lease has the new folder"
    with store.open("acme", "shop", 1, None) as lease:
        assert (lease.path / "Cookies").read_text() == "two"
