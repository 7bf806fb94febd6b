"""`workerctl tenant acl`: its output is a command that Redis takes."""

import hashlib
from pathlib import Path

import pytest
from cli.commands import valid_json
from cli.conftest import OnQueue
from pw_queue import QueueHarness
from pw_servers import RedisServer

from pageworker_supervisor.access.redis_rules import redis_rules
from pageworker_supervisor.cli.app import run


async def nothing(harness: QueueHarness) -> None:
    """The queue as it is."""


def test_the_command_makes_a_user(
    on_queue: OnQueue, live_redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    on_queue(nothing)
    assert run(["tenant", "acl", "acme", "--new-password", "--json"]) == 0
    out, err = capsys.readouterr()
    answer = valid_json("tenant acl", out)
    assert live_redis.command(*answer["command"].split()) == b"OK"
    try:
        with live_redis.client("pw-acme", answer["password"]) as client:
            assert client.rpush("pw:inbox:acme", "x") == 1
    finally:
        live_redis.command("ACL", "DELUSER", "pw-acme")
    digest = hashlib.sha256(answer["password"].encode()).hexdigest()
    assert answer["acl_line"] == f"user pw-acme on #{digest} {' '.join(redis_rules('pw', 'acme'))}"
    assert "set ingress.tenant_inboxes" in err
    assert "tenant create acme" in err


def test_without_a_password_the_user_is_off(
    on_queue: OnQueue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on_queue(nothing)
    config = tmp_path / "pageworker.toml"
    config.write_text('[redis]\nprefix = "other"\n[ingress]\ntenant_inboxes = true\n[tenants.acme]\n')
    assert run(["tenant", "acl", "acme", "--config", str(config)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("ACL SETUSER other-acme reset off resetkeys %W~other:inbox:acme ")
    assert err == ""


def test_another_name_is_no_pattern(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tenant", "acl", "a*"]) == 4
    assert run(["tenant", "acl", "Acme"]) == 2
    assert capsys.readouterr().out == ""
