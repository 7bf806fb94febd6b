"""Where a worker keeps its files."""

import os
import stat
from pathlib import Path

import pytest

from pageworker_supervisor.config.data_dir import data_dir_of, open_regular, open_workers_file, own_folder, own_path
from pageworker_supervisor.config.settings import Settings, WorkerSettings


def test_the_configured_folder_is_created_so_that_runners_can_pass_through(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert data_dir_of(Settings(worker=WorkerSettings(data_dir=folder))) == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o711


def test_an_existing_folder_keeps_its_mode_and_a_link_is_resolved(tmp_path: Path) -> None:
    folder, link = tmp_path / "real", tmp_path / "link"
    folder.mkdir(mode=0o700)
    link.symlink_to(folder)
    assert data_dir_of(Settings(worker=WorkerSettings(data_dir=link))) == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_by_default_it_is_below_the_home_of_an_ordinary_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_dir_of(Settings()) == tmp_path / ".local/share/pageworker"


def test_a_file_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="exists"):
        data_dir_of(Settings(worker=WorkerSettings(data_dir=tmp_path / "file")))


def test_a_regular_file_is_opened_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    with os.fdopen(open_regular(tmp_path / "file")) as file:
        assert file.read() == "content"
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", ".", "missing"):
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(OSError):
            open_regular(tmp_path / name)
        assert len(os.listdir("/proc/self/fd")) == before, "the descriptor is closed"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes owners")
def test_root_opens_files_of_the_folders_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    os.close(open_workers_file(tmp_path / "file", tmp_path))
    os.chown(tmp_path, 261_501, 261_501)
    with pytest.raises(PermissionError, match="it does not belong to the owner of"):
        open_workers_file(tmp_path / "file", tmp_path)
    os.chown(tmp_path / "file", 261_501, 261_501)
    os.close(open_workers_file(tmp_path / "file", tmp_path))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes owners")
def test_root_writes_to_no_link_that_another_user_has_made(tmp_path: Path) -> None:
    assert own_folder(tmp_path / "registry") == tmp_path / "registry"
    (tmp_path / "registry").symlink_to("/etc")
    assert own_folder(tmp_path / "registry") == tmp_path / "registry", "it is root's own"
    os.chown(tmp_path / "registry", 261_501, 261_501, follow_symlinks=False)
    with pytest.raises(PermissionError, match="it is a link that user 261501 has made or put there; remove it"):
        own_folder(tmp_path / "registry")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes owners")
def test_root_writes_to_no_link_of_its_own_that_another_user_may_have_renamed(tmp_path: Path) -> None:
    (tmp_path / "logs").symlink_to("/etc")
    os.chown(tmp_path, 261_501, 261_501)
    (tmp_path / "logs").rename(tmp_path / "registry")
    with pytest.raises(PermissionError, match="it is a link that user 261501 has made or put there"):
        own_folder(tmp_path / "registry")
    (tmp_path / "local").mkdir()
    (tmp_path / "registry").rename(tmp_path / "local" / "profiles")
    os.chown(tmp_path / "local", 261_501, 261_501)
    with pytest.raises(PermissionError, match="it is a link"):
        own_path(tmp_path, "local", "profiles")
    assert own_path(tmp_path, "local", "other") == tmp_path / "local" / "other"
