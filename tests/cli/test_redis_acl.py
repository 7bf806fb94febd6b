"""`workerctl redis acl`. What the user can do: tests/api/test_redis_user.py."""

import pytest
from cli.commands import valid_json

from pageworker_supervisor.cli.app import run


def test_the_user_of_the_api_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PAGEWORKER_REDIS__URL", "redis+cluster://h")
    assert run(["redis", "acl", "--new-password", "--json"]) == 0
    answer = valid_json("redis acl", capsys.readouterr().out)
    assert answer["command"].startswith("ACL SETUSER pw-api reset on #")
    assert len(answer["password"]) == 64
    assert run(["redis", "acl", "--functions"]) == 0
    shown = capsys.readouterr().out
    assert shown == f"{answer['add_functions']}\n"
    assert shown.startswith("ACL SETUSER pw-api +fcall|pageworker_none +fcall|pw_")
