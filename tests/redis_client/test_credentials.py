"""Passwords from files: read for each connection, and refused by name where they cannot be used."""

import os
from pathlib import Path

import pytest
from redis import exceptions as rx

from pageworker_supervisor.redis_client.credentials import MAX_BYTES, PasswordFile, PasswordUnreadable
from pageworker_supervisor.redis_client.errors import Denied, classify


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "password"


async def test_a_rotated_password_is_read_for_the_next_connection(file: Path) -> None:
    credentials = PasswordFile(file, "worker")
    for password in ("first", "second"):
        file.write_text(f" {password}\n")
        assert credentials.get_credentials() == await credentials.get_credentials_async() == ("worker", password)


def test_without_a_user_it_is_the_default_users(file: Path) -> None:
    file.write_text("secret")
    assert PasswordFile(file).get_credentials() == ("secret",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), (b"", "empty"), (b" \n", "empty"), (b"\xff\xfe", "not UTF-8"), (b"x" * 5000, "too long")],
)
def test_a_file_that_cannot_be_used_is_named_with_its_setting(file: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(PasswordUnreadable, match=reason) as caught:
        PasswordFile(file, setting="redis.ingress_password_file").password()
    assert str(caught.value).startswith(f"redis.ingress_password_file {file}: ")
    assert isinstance(classify(caught.value), Denied), "an operator can fix it while the worker runs"


def test_the_longest_password_is_accepted(file: Path) -> None:
    file.write_bytes(b"x" * MAX_BYTES)
    assert len(PasswordFile(file).password()) == MAX_BYTES


def test_a_process_without_a_free_descriptor_is_not_denied(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(24, os.strerror(24))

    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(rx.ConnectionError, match="Too many open files"):
        PasswordFile(file).password()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root reads files of others")
def test_root_sends_no_file_of_its_own_to_the_server_of_another_user(file: Path) -> None:
    file.write_text("of root")
    os.chown(file.parent, 261_501, 261_501)
    assert PasswordFile(file).password() == "of root", "a file that the settings name"
    with pytest.raises(PasswordUnreadable, match="it does not belong to the owner of"):
        PasswordFile(file, data_dir=file.parent).password()
