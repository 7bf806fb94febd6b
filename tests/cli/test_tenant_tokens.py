"""`workerctl tenant create-token`, `list-tokens`, `rotate-token` and `revoke-token` on a real queue."""

import asyncio
import json
from typing import Any

import pytest
from cli.commands import valid_json
from cli.conftest import OnQueue
from pw_queue import QueueHarness, open_harness
from pw_servers import RedisServer

from pageworker_supervisor.access.grant import TokenGrant
from pageworker_supervisor.access.token_reader import TokenReader
from pageworker_supervisor.cli.app import run


async def nothing(harness: QueueHarness) -> None:
    """The queue as it is."""


@pytest.fixture
def call(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs `workerctl tenant … --json`. Returns what it printed, valid against its schema; on a failure, stderr."""
    on_queue(nothing)

    def called(line: str, expected: int = 0) -> Any:
        capsys.readouterr()
        code = run(["tenant", *line.split(), "--json"])
        out, err = capsys.readouterr()
        assert code == expected, err
        return valid_json(f"tenant {line.split()[0]}", out) if out else err

    return called


def granted(server: RedisServer, token: str) -> TokenGrant | None:
    async def ask() -> TokenGrant | None:
        async with open_harness(server.port) as harness:
            return await TokenReader(harness.queue.access_tokens).grant(token)

    return asyncio.run(ask())


def test_a_token_works_from_its_creation_to_its_revocation(call: Any, live_redis: RedisServer) -> None:
    made = call("create-token acme --scope viewer --scope producer --for 90d --label n8n")
    grant = granted(live_redis, made["token"])
    assert grant is not None
    assert (grant.tenant_id, grant.scopes) == ("acme", frozenset({"viewer", "producer"}))
    assert grant.expires_at is not None
    (row,) = call("list-tokens acme")
    assert (row["token_id"], row["state"], row["label"]) == (made["token_id"], "active", "n8n")
    new = call("rotate-token acme --overlap 1h")
    assert granted(live_redis, new["token"]) is not None
    assert granted(live_redis, made["token"]) is not None
    assert call(f"revoke-token acme {made['token_id']}")["token_id"] == made["token_id"]
    assert granted(live_redis, made["token"]) is None
    assert [row["state"] for row in call("show acme")["access_tokens"]] == ["revoked", "active"]


def test_a_token_of_the_fleet_has_no_tenant(call: Any, live_redis: RedisServer) -> None:
    made = call("create-token _fleet --scope viewer")
    assert made["tenant_id"] is None
    grant = granted(live_redis, made["token"])
    assert grant is not None
    assert grant.tenant_id is None
    assert [row["token_id"] for row in call("list-tokens _fleet")] == [made["token_id"]]
    assert "no valid token" in call(f"revoke-token acme {made['token_id']}", 4)


def test_the_audit_log_has_the_id_and_not_the_token(call: Any, capsys: pytest.CaptureFixture[str]) -> None:
    made = call("create-token acme --scope viewer --reason flow")
    new = call(f"rotate-token acme {made['token_id']}")
    call(f"revoke-token acme {made['token_id']}")
    assert "of a token" in call(f"revoke-token acme {new['token']}", 2)
    assert "no valid token" in call(f"rotate-token acme {new['token']}", 4)
    assert run(["audit", "list", "--json"]) == 0
    out = capsys.readouterr().out
    for action in ("tenant.create-token", "tenant.rotate-token", "tenant.revoke-token"):
        assert action in out
    assert made["token_id"] in out
    assert new["token_id"] in out
    for token in (made["token"], new["token"]):
        assert token.rpartition("_")[2] not in out


def test_people_see_the_token_once(call: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tenant", "create-token", "acme", "--scope", "viewer"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("pw_")
    assert out.count("\n") == 1, "the token alone"
    assert "not stored" in err
    assert run(["tenant", "list-tokens", "acme"]) == 0
    listed = capsys.readouterr().out
    assert out.split("_")[1] in listed
    assert out.strip().rpartition("_")[2] not in listed
    assert run(["tenant", "show", "acme"]) == 0
    assert "1 active" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "exit_code", "error"),
    [
        ("create-token Acme --scope viewer", 2, "is no name of a tenant"),
        ("create-token acme --scope admin", 2, "there is no scope"),
        ("create-token acme --scope viewer --for 1y", 2, "--for 1y"),
        ("rotate-token acme", 4, "no active token"),
        ("rotate-token acme 0123456789abcdef", 4, "no valid token"),
        ("rotate-token acme --overlap soon", 2, "--overlap soon"),
        ("revoke-token acme 0123456789abcdef", 4, "no valid token"),
    ],
)
def test_what_cannot_be_done_is_refused(call: Any, line: str, exit_code: int, error: str) -> None:
    assert error in call(line, exit_code)


def test_a_failure_prints_nothing_on_stdout(call: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tenant", "revoke-token", "acme", "0" * 16, "--json"]) == 4
    assert capsys.readouterr().out == ""


def test_a_list_is_json(call: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tenant", "list-tokens", "acme", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
