"""`workerctl pause` and `unpause` on a real queue."""

import json
import time

import jsonschema_rs
import pytest
from cli.conftest import OnQueue
from pw_queue import QueueHarness, ticket
from pw_servers import RedisServer
from pw_servers.ports import free_port

from pageworker_supervisor.cli.app import run
from pageworker_supervisor.cli.json_schema import shipped_schema

PAUSE = ["pause", "tenant", "acme", "--reason", "floods the shop"]


def checked(command: str, text: str) -> object:
    """The JSON that a command printed, valid against its shipped schema."""
    value = json.loads(text)
    jsonschema_rs.validator_for(json.loads(shipped_schema(command))).validate(value)
    return value


def test_the_audit_log_does_not_say_that_a_pause_ended_that_was_none(
    on_queue: OnQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["unpause", "tenant", "acme"]) == 1
    capsys.readouterr()
    assert run(["audit", "list", "--json"]) == 0
    assert [line["record"]["outcome"] for line in json.loads(capsys.readouterr().out)] == ["requested", "not paused"]


def test_a_tenant_is_paused_and_unpaused(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    async def push(harness: QueueHarness) -> None:
        await harness.producer.enqueue([ticket("1", "acme"), ticket("2", "other")])

    async def take(harness: QueueHarness) -> None:
        taken.append([lease.tenant_id for lease in await harness.take()])

    taken: list[list[str]] = []
    on_queue(push)
    assert run([*PAUSE, "--for", "30m", "--who", "ann"]) == 0
    assert capsys.readouterr().out.startswith("tenant acme is paused until 20")
    on_queue(take)
    assert run(["jobs", "--tenant", "acme"]) == 0
    assert "paused: tenant acme: floods the shop" in capsys.readouterr().out
    assert run(["pause"]) == 0
    assert "floods the shop" in capsys.readouterr().out
    assert run(["unpause", "tenant", "acme"]) == 0
    assert capsys.readouterr().out == "tenant acme is unpaused\n"
    on_queue(take)
    assert taken == [["other"], ["acme"]]


def test_json_follows_the_schema(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*PAUSE, "--json"]) == 0
    paused: dict[str, object] = {"kind": "tenant", "name": "acme", "state": "paused", "until_ms": None, "failed": {}}
    assert checked("pause", capsys.readouterr().out) == paused
    assert run(["pause", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    checked("pause", json.dumps([listed]))
    assert (listed["reason"], listed["until_ms"], listed["shards"]) == ("floods the shop", None, [0])
    assert run(["unpause", "tenant", "acme", "--json"]) == 0
    assert checked("unpause", capsys.readouterr().out) == {**paused, "state": "unpaused"}


def test_what_is_not_paused_ends_with_1(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["unpause", "module", "shop.product"]) == 1
    assert capsys.readouterr().out == "module shop.product is not paused\n"


@pytest.mark.parametrize(
    ("words", "exit_code", "error"),
    [
        (["pause", "tenant"], 2, "nothing is named"),
        (["pause", "tenant", "acme"], 2, "--reason is missing"),
        (["pause", "tenant", "acme", "--reason", " "], 2, "--reason is missing"),
        ([*PAUSE, "--for", "soon"], 2, "--for soon"),
        ([*PAUSE[:-1], "x" * 201], 2, "more than 200"),
        ([*PAUSE[:-1], "\udcff"], 2, "not UTF-8"),
        ([*PAUSE, "--who", "x" * 101], 2, "more than 100"),
        (["pause", "domain", "*.shop.example", "--reason", "x"], 4, "globs are not supported yet"),
        (["pause", "queue", "x", "--reason", "x"], 2, "queue"),
        (["unpause", "module", "shop.*"], 4, "globs are not supported yet"),
    ],
)
def test_wrong_words_change_nothing(
    on_queue: OnQueue,
    live_redis: RedisServer,
    words: list[str],
    exit_code: int,
    error: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(words) == exit_code
    assert error in capsys.readouterr().err
    assert live_redis.command("KEYS", "pw:*") == []


def test_a_shard_that_fails_is_named_and_the_same_command_mends_it(
    on_queue: OnQueue, live_redis: RedisServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PAGEWORKER_REDIS__SHARDS", "2")
    live_redis.command("SET", "pw:{1}:paused", "no hash")
    words = ["pause", "domain", "shop.test", "--reason", "x", "--json"]
    assert run(words) == 1
    printed = capsys.readouterr()
    assert list(json.loads(printed.out)["failed"]) == ["1"]
    assert "shard 1: " in printed.err
    assert "Run the same command again" in printed.err
    live_redis.command("DEL", "pw:{1}:paused")
    assert run(words) == 0
    assert run(["pause", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])[0]["shards"] == [0, 1]


def test_a_redis_that_is_away_or_frozen_ends_with_3_in_two_seconds(
    on_queue: OnQueue, live_redis: RedisServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (PAUSE, ["pause"], ["unpause", "tenant", "acme"]):
        live_redis.pause()
        try:
            before = time.monotonic()
            assert run(words) == 3
            assert time.monotonic() - before < 2.0
        finally:
            live_redis.resume()
        assert live_redis.url.rpartition("/")[0] in capsys.readouterr().err
    monkeypatch.setenv("PAGEWORKER_REDIS__URL", f"redis://127.0.0.1:{free_port()}")
    for words in (PAUSE, ["pause"], ["unpause", "tenant", "acme"]):
        assert run(words) == 3
        assert "Redis at redis://127.0.0.1" in capsys.readouterr().err
