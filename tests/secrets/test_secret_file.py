"""Secrets are read from files, and again when they change."""

from pathlib import Path

import pytest

from pageworker_sandbox.wire.messages import MAX_SECRET_CHARS
from pageworker_supervisor.secrets.errors import SecretMissing, SecretUnavailable
from pageworker_supervisor.secrets.secret_file import FOREIGN_READERS, FOREIGN_WRITERS, SecretFiles


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "acme.callback"
    path.write_bytes(b"  the secret\n")
    path.chmod(0o600)
    return path


def test_white_space_around_a_secret_does_not_count(file: Path) -> None:
    assert SecretFiles().read(file).data == b"the secret"


def test_a_changed_file_is_read_again(file: Path) -> None:
    secrets = SecretFiles()
    before = secrets.read(file)
    replacement = file.with_suffix(".new")
    replacement.write_bytes(b"the secre2")
    replacement.replace(file)
    after = secrets.read(file)
    assert (before.data, after.data) == (b"the secret", b"the secre2")
    assert before.version != after.version


def test_an_unchanged_file_is_not_read_again(file: Path) -> None:
    secrets = SecretFiles()
    assert secrets.read(file) is secrets.read(file)


def test_a_missing_file_is_an_error_without_its_folder(file: Path) -> None:
    file.unlink()
    with pytest.raises(SecretMissing, match=r"^acme\.callback: No such file"):
        SecretFiles().read(file)


def test_a_file_that_was_emptied_is_an_error(file: Path) -> None:
    secrets = SecretFiles()
    secrets.read(file)
    file.write_bytes(b"\n \n")
    with pytest.raises(SecretUnavailable, match="empty"):
        secrets.read(file)


def test_a_file_that_is_no_secret_is_not_read_whole(file: Path) -> None:
    file.write_bytes(b"x" * 5 * MAX_SECRET_CHARS)
    with pytest.raises(SecretUnavailable, match="more than"):
        SecretFiles().read(file)


def test_a_folder_in_its_place_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SecretUnavailable, match="Is a directory"):
        SecretFiles().read(tmp_path)


@pytest.mark.parametrize(
    ("mode", "forbidden", "refused"),
    [
        (0o600, FOREIGN_READERS, False),
        (0o400, FOREIGN_READERS, False),
        (0o640, FOREIGN_READERS, True),
        (0o604, FOREIGN_READERS, True),
        (0o620, FOREIGN_READERS, True),
        (0o440, FOREIGN_WRITERS, False),
        (0o460, FOREIGN_WRITERS, True),
        (0o666, 0, False),
    ],
)
def test_a_file_that_other_users_can_use_is_refused_even_if_it_is_known(
    file: Path, mode: int, forbidden: int, refused: bool
) -> None:
    secrets = SecretFiles()
    secrets.read(file, forbidden)
    file.chmod(mode)
    if refused:
        with pytest.raises(SecretUnavailable, match=f"mode {mode:04o}.*chmod 600"):
            secrets.read(file, forbidden)
    else:
        secrets.read(file, forbidden)
