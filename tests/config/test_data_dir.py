"""Where a worker keeps its files."""

import os
import stat
from pathlib import Path

import pytest

from pageworker_supervisor.config.data_dir import data_dir_of
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
