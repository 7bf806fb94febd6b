"""The folder of the embedded Redis: passwords, owners, the port, and the socket's URL."""

import os
import re
import socket
from pathlib import Path

import pytest

from pageworker_supervisor.redis_client import redis_folder
from pageworker_supervisor.redis_client.credentials import PasswordUnreadable
from pageworker_supervisor.redis_client.errors import EmbeddedUnfit
from pageworker_supervisor.redis_client.redis_folder import MAX_SOCKET_PATH, RedisFolder
from pageworker_supervisor.redis_client.server_config import SOCKET
from pageworker_supervisor.redis_client.url import parse_url
from pageworker_supervisor.redis_client.users import USERS


@pytest.fixture
def folder(tmp_path: Path) -> RedisFolder:
    made = RedisFolder(tmp_path)
    made.make()
    made.prepare(None)
    return made


def test_each_user_gets_a_password_of_its_own_that_is_kept(folder: RedisFolder) -> None:
    first = folder.passwords()
    assert set(first) == set(USERS)
    assert len(set(first.values())) == len(USERS)
    assert all(re.fullmatch("[0-9a-f]{64}", password) for password in first.values())
    assert {folder.password_file(user).stat().st_mode & 0o777 for user in USERS} == {0o600}
    folder.password_file(USERS[0]).write_text("")
    folder.password_file(USERS[1]).unlink()
    folder.prepare(None)
    second = folder.passwords()
    changed = [user for user in USERS if first[user] != second[user]]
    assert changed == [USERS[0], USERS[1]], "an empty file is replaced, and a deleted one"


def test_nothing_is_created_before_it_is_prepared(tmp_path: Path) -> None:
    untouched = RedisFolder(tmp_path)
    with pytest.raises(PasswordUnreadable):
        untouched.passwords()
    assert list(tmp_path.iterdir()) == []


def test_other_users_cannot_enter(folder: RedisFolder) -> None:
    assert [path.stat().st_mode & 0o777 for path in (folder.path, folder.data)] == [0o700, 0o700]


def test_the_port_is_written_for_clients(folder: RedisFolder) -> None:
    for port in (6399, 6399, 7000):
        folder.write_port(port)
        assert folder.port.read_text() == f"{port}\n"


def test_a_socket_path_that_is_too_long_gets_a_short_url(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    made = RedisFolder(deep)
    made.make()
    made.prepare(None)
    path = parse_url(made.socket_url()).path
    assert len(os.fsencode(path)) <= MAX_SOCKET_PATH
    assert Path(path).parent.samefile(made.data)


def test_a_full_disk_is_refused_before_the_server_starts(folder: RedisFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.check_space()
    monkeypatch.setattr(redis_folder, "MIN_FREE_BYTES", 2**62)
    with pytest.raises(EmbeddedUnfit, match="the data folder is full"):
        folder.check_space()


def test_the_last_log_lines_explain_a_failed_start(folder: RedisFolder) -> None:
    assert "No such file" in folder.last_log_lines()
    folder.log.write_text("")
    assert folder.last_log_lines() == "its log is empty"
    folder.log.write_text("first\nsecond\n third\n")
    assert folder.last_log_lines() == "second / third"


@pytest.mark.parametrize("depth", [0, 60])
def test_a_redis_runs_while_its_socket_accepts_connections(
    depth: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RedisFolder(tmp_path / ("d" * depth) / ("e" * depth))
    assert not folder.listening()
    folder.make()
    assert not folder.listening()
    folder.prepare(None)
    folder.write_port(6399)
    assert not folder.listening(), "a server that has ended leaves its port file"
    monkeypatch.chdir(folder.data)  # a path of a socket may be too long
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(SOCKET)
        server.listen(0)
        assert folder.listening()
        assert folder.listening(), "one connection more than the queue has place for"
        assert folder.listening()
    assert not folder.listening(), "a killed server leaves its socket"
