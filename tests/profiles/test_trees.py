"""Walks over folders that a hostile runner has left: nothing outside of them is touched."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from pageworker_profiles import ProfileStore, ProfileTampered, trees

ONE, TWO = 261_500, 261_501

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users")


@pytest.fixture
def store(tmp_path: Path) -> ProfileStore:
    return ProfileStore(tmp_path / "profiles")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    (folder / "below").mkdir(parents=True)
    (folder / "secret").write_text("x")
    return folder


def _owners(folder: Path) -> set[int]:
    return {path.stat(follow_symlinks=False).st_uid for path in (folder, *folder.rglob("*"))}


def test_all_is_reowned_and_no_link_is_followed(store: ProfileStore, outside: Path) -> None:
    with store.open("acme", "shop", 1, ONE) as lease:
        data = lease.path
        (data / "Default/Cache").mkdir(parents=True)
        (data / "Default/Cookies").write_text("x")
        (data / "to_file").symlink_to(outside / "secret")
        (data / "to_folder").symlink_to(outside)
        (data / "Default/up").symlink_to("../../../..")
        (data / "Default/dangling").symlink_to("/nowhere")
        os.mkfifo(data / "fifo")
        (data / "closed").mkdir(mode=0)
        (data / "suid").write_text("x")
        (data / "suid").chmod(0o6755)
    with store.open("acme", "shop", 2, TWO) as lease:
        assert _owners(lease.path) == {TWO}
        assert stat.S_IMODE((lease.path / "suid").stat().st_mode) == 0o755
    assert _owners(outside) == {0}
    assert (store.root / "acme/shop").stat().st_uid == 0


def test_what_takes_the_place_of_a_link_meanwhile_is_not_given(
    tmp_path: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, chown = tmp_path / "folder", os.chown
    folder.mkdir()
    (folder / "link").symlink_to("nowhere")

    def swapped_before(path: str, *owner: int, **options: Any) -> None:
        (folder / "link").rename(tmp_path / "checked")
        (folder / "link").hardlink_to(outside / "secret")
        chown(path, *owner, **options)

    monkeypatch.setattr(os, "chown", swapped_before)
    trees.reown(folder, ONE, ONE)
    assert _owners(outside) == {0}
    assert (tmp_path / "checked").lstat().st_uid == ONE


def test_a_hard_link_is_not_given_away(store: ProfileStore, outside: Path) -> None:
    with store.open("acme", "shop", 1, ONE) as lease:
        os.link(outside / "secret", lease.path / "innocent")
    with pytest.raises(ProfileTampered, match="innocent"):
        store.open("acme", "shop", 2, TWO)
    assert _owners(outside) == {0}
    assert store.holder("acme", "shop") is None
    with store.open("acme", "shop", None, None) as lease:
        aside = store.quarantine(lease, "a hard link to somewhere")
    assert (aside / "data/innocent").read_text() == "x"
    with store.open("acme", "shop", 2, TWO) as lease:
        assert list(lease.path.iterdir()) == []


def test_a_device_is_not_given_away(store: ProfileStore) -> None:
    with store.open("acme", "shop", 1, ONE) as lease:
        try:
            os.mknod(lease.path / "disk", stat.S_IFBLK | 0o600, os.makedev(250, 250))
        except PermissionError:
            os.mknod(lease.path / "disk", stat.S_IFCHR | 0o600, os.makedev(0, 0))
    with pytest.raises(ProfileTampered, match="disk"):
        store.open("acme", "shop", 2, TWO)


def test_a_refused_reowning_leaves_the_top_with_us(store: ProfileStore, outside: Path) -> None:
    with store.open("acme", "shop", 1, ONE) as lease:
        os.link(outside / "secret", lease.path / "innocent")
    for _ in range(2):
        with pytest.raises(ProfileTampered):
            store.open("acme", "shop", 2, TWO)
    assert lease.path.stat().st_uid == 0


def test_a_folder_in_the_place_of_a_lock(store: ProfileStore) -> None:
    with store.open("acme", "shop", 1, ONE) as lease:
        (lease.path / "SingletonLock").mkdir()
    with pytest.raises(ProfileTampered, match="SingletonLock"):
        store.open("acme", "shop", 2, ONE)


def test_removal_follows_no_link(store: ProfileStore, outside: Path) -> None:
    with store.open("acme", "shop", 1, ONE) as lease:
        (lease.path / "to_folder").symlink_to(outside)
        (lease.path / "a/b").mkdir(parents=True)
        (lease.path / "a/b/to_file").symlink_to(outside / "secret")
        os.link(outside / "secret", lease.path / "a/hard")
        (lease.path / "a/b").chmod(0)
    assert store.remove("acme", "shop")
    assert (outside / "secret").read_text() == "x"
    assert (outside / "below").is_dir()
    assert list((store.root / ".trash").iterdir()) == []


def test_endless_folders_are_refused_and_still_removed(store: ProfileStore) -> None:
    lease = store.open("acme", "shop", 1, ONE)
    descriptor = os.open(lease.path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=descriptor)
        below = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    try:
        with pytest.raises(ProfileTampered, match="levels"):
            trees.reown(lease.path, TWO, TWO)
        with pytest.raises(ProfileTampered, match="levels"):
            trees.measure(lease.path)
    finally:
        lease.close()
        store.remove("acme", "shop")  # whatever happens: pytest's own cleaning fails on such a depth
    assert not lease.path.exists()
    assert list((store.root / ".trash").iterdir()) == []
