"""Callback secrets are read from files, again when they change."""

from pathlib import Path

import pytest

from pageworker_supervisor.delivery.secret_files import SecretFiles, SecretUnreadable


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "acme.callback"
    path.write_bytes(b"  the secret\n")
    return path


def test_white_space_around_a_secret_does_not_count(file: Path) -> None:
    assert SecretFiles().secret(file) == b"the secret"


def test_a_changed_file_is_read_again(file: Path) -> None:
    secrets = SecretFiles()
    assert secrets.secret(file) == b"the secret"
    replacement = file.with_suffix(".new")
    replacement.write_bytes(b"the secre2")
    replacement.replace(file)
    assert secrets.secret(file) == b"the secre2"


def test_an_unchanged_file_is_not_read_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = SecretFiles()
    secrets.secret(file)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail("the file was read again"))
    assert secrets.secret(file) == b"the secret"


def test_a_missing_file_is_an_error_without_its_folder(file: Path) -> None:
    file.unlink()
    with pytest.raises(SecretUnreadable, match=r"^acme\.callback: No such file"):
        SecretFiles().secret(file)


def test_a_file_that_was_emptied_is_an_error(file: Path) -> None:
    secrets = SecretFiles()
    secrets.secret(file)
    file.write_bytes(b"\n \n")
    with pytest.raises(SecretUnreadable, match="empty"):
        secrets.secret(file)
