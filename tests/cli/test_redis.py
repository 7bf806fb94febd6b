"""`workerctl redis password`."""

from pathlib import Path

import pytest
from cli.commands import valid_json

from pageworker_supervisor.cli.app import run
from pageworker_supervisor.redis_client.redis_folder import RedisFolder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RedisFolder:
    """The folder of a Redis that the worker has started."""
    monkeypatch.setenv("PAGEWORKER_WORKER__DATA_DIR", str(tmp_path))
    folder = RedisFolder(tmp_path)
    folder.port.parent.mkdir(parents=True, exist_ok=True)
    for user in ("n8n", "reader", "pageworker"):
        file = folder.password_file(user)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"password-of-{user}\n")
    folder.port.write_text("6399")
    return folder


@pytest.mark.parametrize("user", ["n8n", "reader", "pageworker"])
def test_the_password_of_a_user_is_all_that_is_printed(
    folder: RedisFolder, user: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["redis", "password", user]) == 0
    assert capsys.readouterr().out == f"password-of-{user}\n"


def test_json_contains_host_and_port(folder: RedisFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["redis", "password", "--json"]) == 0
    assert valid_json("redis password", capsys.readouterr().out) == {
        "user": "n8n",
        "password": "password-of-n8n",
        "host": "127.0.0.1",
        "port": 6399,
    }


def test_a_redis_of_the_operators_own_is_wrong_usage(
    folder: RedisFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PAGEWORKER_REDIS__URL", "redis://127.0.0.1:1")
    assert run(["redis", "password"]) == 2
    assert "redis.url is set" in capsys.readouterr().err


def test_before_the_first_start_there_is_none(folder: RedisFolder, capsys: pytest.CaptureFixture[str]) -> None:
    folder.password_file("n8n").unlink()
    assert run(["redis", "password"]) == 3
    folder.port.unlink()
    assert run(["redis", "password"]) == 3
    assert "Start `pageworker`" in capsys.readouterr().err
