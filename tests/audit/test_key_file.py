"""The file of the audit key."""

import os
from pathlib import Path

import pytest

from pageworker_supervisor.audit.errors import AuditRefused
from pageworker_supervisor.audit.key_file import read_key, read_or_make_key


def test_a_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "audit.key"
    made = read_or_make_key(file)
    assert read_or_make_key(file).id == made.id == read_key(file).id
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["audit.key"]


@pytest.mark.parametrize("text", ["", "00", "g" * 64, "0" * 65, "ä" * 32])
def test_what_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "audit.key"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(AuditRefused, match="is no audit key"):
        read_or_make_key(file)


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "audit.key"
    read_or_make_key(file)
    file.chmod(0o644)
    with pytest.raises(AuditRefused, match="is open to other users"):
        read_key(file)


def test_a_link_is_refused_even_to_a_key(tmp_path: Path) -> None:
    file, link = tmp_path / "audit.key", tmp_path / "link.key"
    read_or_make_key(file)
    link.symlink_to(file)
    for get in (read_key, read_or_make_key):
        with pytest.raises(AuditRefused, match="is a symbolic link"):
            get(link)


def test_a_pipe_is_no_key_and_is_not_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "audit.key"
    os.mkfifo(file, 0o600)
    with pytest.raises(AuditRefused, match="is no audit key"):
        read_key(file)


def test_a_folder_is_no_key_and_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(AuditRefused, match="cannot be read: Is a directory"):
        read_key(tmp_path)
    assert os.listdir("/proc/self/fd") == before


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AuditRefused, match="there is no audit key"):
        read_or_make_key(tmp_path / "nope" / "audit.key")
    with pytest.raises(AuditRefused, match="cannot be read"):
        read_key(tmp_path / "audit.key")
