"""The name of who runs a command, also where the user id has none."""

import os
import pwd
import socket

import pytest

from pageworker_supervisor.cli.local_user import local_user, user_at_host

NAMES = ("SUDO_USER", "LOGNAME", "USER", "LNAME", "USERNAME")


@pytest.fixture(autouse=True)
def unnamed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_the_user_is_named_with_its_host() -> None:
    assert user_at_host() == f"{pwd.getpwuid(os.getuid()).pw_name}@{socket.gethostname()}"


def test_with_sudo_its_caller_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "ada")
    assert local_user() == "ada"


def test_a_user_id_without_a_name_is_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 3_456_789)
    assert local_user() == "uid 3456789"


def test_a_name_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "a\udcffa")
    assert local_user() == "a?a"
