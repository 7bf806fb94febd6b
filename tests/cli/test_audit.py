"""`workerctl audit` and what commands record, on a real queue."""

import json
from pathlib import Path

import pytest
from cli.conftest import OnQueue
from pw_queue import QueueHarness, ticket
from pw_servers import RedisServer

from pageworker_supervisor.cli.app import run

STREAM = "pw:{0}:audit"
HEAD = "pw:{0}:audit:head"


async def one_letter(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1")])
    await harness.consumer.finish(await harness.one(), "failed", b'{"status":"failed"}', dead_letter=b"{}")


def purge_one(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> str:
    on_queue(one_letter)
    assert run(["dead", "list", "--json"]) == 0
    (letter,) = json.loads(capsys.readouterr().out)
    assert run(["dead", "purge", letter["id"], "--reason", "test data"]) == 0
    capsys.readouterr()
    return str(letter["id"])


def test_a_purge_is_recorded_with_who_what_and_why(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    letter = purge_one(on_queue, capsys)
    assert run(["audit", "list", "--json"]) == 0
    before, after = (line["record"] for line in json.loads(capsys.readouterr().out))
    assert (before["action"], before["target"], before["reason"]) == ("dead.purge", letter, "test data")
    assert (before["outcome"], after["outcome"], after["of"]) == ("requested", "1 deleted", before["seq"])
    assert before["program"] == "workerctl dead purge"
    assert before["host"]
    assert run(["audit", "list"]) == 0
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) == 2, "both records are one row"
    assert "1 deleted" in shown
    assert run(["audit", "list", "--action", "config.*"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_the_log_is_verified_exported_and_verified_again_without_redis(
    on_queue: OnQueue, live_redis: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    purge_one(on_queue, capsys)
    assert run(["audit", "verify"]) == 0
    assert "records 1 to 2: 2 verified" in capsys.readouterr().out
    exported = tmp_path / "audit.jsonl"
    assert run(["audit", "export", "--output", str(exported)]) == 0
    assert run(["audit", "export", "--output", str(exported)]) == 1, "it exists"
    assert run(["audit", "verify", "--file", str(exported), "--json"]) == 0
    capsys.readouterr()
    exported.write_bytes(exported.read_bytes().replace(b"test data", b"test lies"))
    assert run(["audit", "verify", "--file", str(exported)]) == 1
    assert "changed: record 1" in capsys.readouterr().out
    live_redis.command("DEL", STREAM, HEAD)
    assert run(["audit", "verify"]) == 1
    assert "end_cut" in capsys.readouterr().out


def test_the_list_shows_records_since_an_instant(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    purge_one(on_queue, capsys)
    for since, rows in (("1h", 1), ("2020-01-01T00:00:00Z", 1), ("2100-01-01T00:00:00Z", 0)):
        assert run(["audit", "list", "--since", since]) == 0
        assert len(capsys.readouterr().out.splitlines()) == rows + 1
    assert run(["audit", "list", "--since", "yesterday"]) == 2
    assert "--since" in capsys.readouterr().err


def test_a_damaged_head_is_named_with_what_helps(
    on_queue: OnQueue, live_redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    purge_one(on_queue, capsys)
    for field, value in (("mac", b"\xff"), ("seq", "x"), ("seq", "1.5"), ("seq", "1e400"), ("seq", "-5")):
        intact = live_redis.command("HGET", HEAD, field)
        live_redis.command("HSET", HEAD, field, value)
        assert run(["audit", "verify"]) == 1
        said = capsys.readouterr().err
        assert f"{HEAD}, is damaged" in said
        assert f"Delete the key {HEAD}" in said
        assert run(["dead", "purge", "1-0", "--reason", "test"]) == 4
        assert "nothing is changed: the head of the audit log" in capsys.readouterr().err
        live_redis.command("HSET", HEAD, field, intact)
    live_redis.command("DEL", HEAD)
    assert run(["audit", "verify"]) == 0


def test_the_list_shows_entries_that_no_writer_of_ours_made(
    on_queue: OnQueue, live_redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    purge_one(on_queue, capsys)
    for number, fields in enumerate(('"of":[1]', '"of":{"a":1}', '"at_ms":' + "9" * 400, '"at_ms":-1e99'), 3):
        text = f'{{"record":{{"seq":{number},"action":"x\\u001b[2J",{fields}}},"mac":""}}'
        live_redis.command("XADD", STREAM, f"{number}-0", "mac", "", "at_ms", "0", "line", text)
    assert run(["audit", "list"]) == 0
    shown = capsys.readouterr().out
    assert "\\x1b[2J" in shown
    assert "\x1b" not in shown
    assert run(["audit", "verify"]) == 1


def test_a_log_of_another_key_is_not_called_good(
    on_queue: OnQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    purge_one(on_queue, capsys)
    other = tmp_path / "other.key"
    other.write_text("ab" * 32)
    other.chmod(0o600)
    monkeypatch.setenv("PAGEWORKER_AUDIT__KEY_FILE", str(other))
    assert run(["audit", "verify"]) == 1
    assert "2 of the unknown key" in capsys.readouterr().out
    assert run(["audit", "verify", "--key-file", str(tmp_path / "audit.key")]) == 0


def test_without_a_key_nothing_is_changed(
    on_queue: OnQueue,
    live_redis: RedisServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    on_queue(one_letter)
    monkeypatch.setenv("PAGEWORKER_AUDIT__KEY_FILE", str(tmp_path / "nope" / "audit.key"))
    (entry,) = live_redis.command("XRANGE", "pw:{0}:dead", "-", "+")
    assert run(["dead", "purge", entry[0].decode()]) == 4
    assert "nothing is changed: there is no audit key" in capsys.readouterr().err
    assert live_redis.command("XLEN", "pw:{0}:dead") == 1
    assert run(["dead", "list"]) == 0, "reading needs no record"
    assert run(["audit", "verify"]) == 4


def test_redis_away_ends_with_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PAGEWORKER_REDIS__URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("PAGEWORKER_WORKER__DATA_DIR", str(tmp_path))
    (tmp_path / "audit.key").write_text("ab" * 32)
    (tmp_path / "audit.key").chmod(0o600)
    for words in (["list"], ["verify"], ["export"]):
        assert run(["audit", *words]) == 3


def test_a_host_that_cannot_remember_the_newest_record_says_so(
    on_queue: OnQueue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    purge_one(on_queue, capsys)
    assert run(["audit", "verify"]) == 0
    assert "cannot be written" not in capsys.readouterr().err
    (tmp_path / "audit.checkpoint").unlink()
    (tmp_path / "audit.checkpoint").mkdir()
    assert run(["audit", "verify"]) == 0
    assert f"{tmp_path}/audit.checkpoint cannot be written" in capsys.readouterr().err
