"""`workerctl doctor`: what it checks beyond the host, and the consistency check of the queue."""

import json
import socket
from types import SimpleNamespace

import pytest
from cli.commands import valid_json
from cli.conftest import OnQueue
from pw_queue import QueueHarness, ticket
from pw_servers import RedisServer

from pageworker_sandbox.signing import SecretKey
from pageworker_supervisor.cli import doctor as command
from pageworker_supervisor.cli.app import run
from pageworker_supervisor.config.check_settings import CheckSettings
from pageworker_supervisor.queue.limits_table import LimitsTable
from pageworker_supervisor.queue.producer import QuotaLimits


@pytest.fixture(autouse=True)
def _host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without starting a browser in a sandbox: launch/ tests those checks."""
    check = SimpleNamespace(name="sandbox", ok=True, found="works", mend="")
    monkeypatch.setattr(command, "host_checks", lambda *_: [check])


def findings(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    return {finding["name"]: finding for finding in valid_json("doctor", capsys.readouterr().out)}


def test_the_consistency_check_runs_only_if_it_is_asked_for(
    on_queue: OnQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fill(harness: QueueHarness) -> None:
        await harness.producer.enqueue([ticket("j1")])

    on_queue(fill)
    run(["doctor", "--json"])
    assert "consistency check" not in findings(capsys)
    run(["doctor", "--audit", "--json"])
    assert findings(capsys)["consistency check"]["found"] == "all keys agree"


def test_the_consistency_check_finds_a_job_that_an_index_has_lost(
    on_queue: OnQueue, live_redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fill(harness: QueueHarness) -> None:
        await harness.producer.enqueue([ticket("j1")])

    on_queue(fill)
    live_redis.command("HSET", "pw:{0}:meta", "jobs", "5")
    assert run(["doctor", "--audit"]) == 1
    text = capsys.readouterr().out
    assert "FAIL  consistency check" in text
    assert "shard 0: " in text


def test_workers_with_other_limits_are_named_with_both_values(
    on_queue: OnQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    def table(concurrency: int) -> LimitsTable:
        return LimitsTable(tenants={"acme": QuotaLimits(concurrency=concurrency)})

    async def bring(harness: QueueHarness) -> None:
        await harness.queue.limits.set(table(4), "w1")
        await harness.queue.limits.set(table(8), "w2")

    async def agree(harness: QueueHarness) -> None:
        await harness.queue.limits.set(table(4), "w2")
        assert len(await harness.client.hkeys("pw:{0}:limits:brought")) == 1

    async def leave(harness: QueueHarness) -> None:
        await harness.consumer.forget_worker("w1")
        await harness.consumer.forget_worker("w2")
        assert not await harness.client.exists("pw:{0}:limits:brought", "pw:{0}:limits:workers")

    on_queue(bring)
    run(["doctor", "--json"])
    found = findings(capsys)["limits"]
    assert found["ok"]
    assert found["found"] == (
        'workers disagree. tenants."acme": weight=1 concurrency=4 (w1); weight=1 concurrency=8 (w2)'
    )
    assert found["mend"]
    on_queue(agree)
    run(["doctor", "--json"])
    assert findings(capsys)["limits"]["found"] == "the same on w1, w2"
    on_queue(leave)
    run(["doctor", "--json"])
    assert findings(capsys)["limits"]["found"] == "no worker is up"


def test_each_check_of_the_worker_is_made(
    on_queue: OnQueue, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["doctor", "--json"]) == 1
    found = findings(capsys)
    assert set(CheckSettings.__struct_fields__) <= set(found)
    assert not found["trusted_keys"]["ok"]
    key = SecretKey.new().public
    monkeypatch.setenv("PAGEWORKER_MODULES__TRUSTED_KEYS", json.dumps([key.line()]))
    run(["doctor", "--json"])
    assert findings(capsys)["trusted_keys"] == {
        "name": "trusted_keys",
        "ok": True,
        "found": key.name,
        "mend": "",
        "known": True,
    }


def test_a_check_that_is_off_is_shown_as_such(
    on_queue: OnQueue, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PAGEWORKER_CHECKS__TRUSTED_KEYS", "off")
    run(["doctor", "--json"])
    off = findings(capsys)["trusted_keys"]
    assert (off["ok"], off["found"]) == (True, 'not checked: checks.trusted_keys is "off"')


def test_each_upstream_proxy_is_tried(
    on_queue: OnQueue, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        up, down = f"http://127.0.0.1:{proxy.getsockname()[1]}", "http://127.0.0.1:1"
        monkeypatch.setenv("PAGEWORKER_EGRESS__PROXY_PORTS", json.dumps([proxy.getsockname()[1], 1]))
        pools = {"up": {"upstreams": [up]}, "down": {"upstreams": [down]}}
        monkeypatch.setenv("PAGEWORKER_PROXIES", json.dumps(pools))
        assert run(["doctor", "--json"]) == 1
    found = findings(capsys)
    assert (found["proxy up"]["ok"], found["proxy up"]["found"]) == (True, f"{up} accepts connections")
    assert (found["proxy down"]["ok"], found["proxy down"]["found"]) == (False, f"{down}: Connection refused")


def test_a_right_that_is_missing_is_marked(
    on_queue: OnQueue, live_redis: RedisServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    live_redis.command("ACL", "SETUSER", "blind", "on", ">x", "~*", "&*", "+@all", "-config")
    monkeypatch.setenv("PAGEWORKER_REDIS__URL", f"redis://blind:x@127.0.0.1:{live_redis.port}")
    run(["doctor"])
    live_redis.command("ACL", "DELUSER", "blind")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("??")]
    assert lines
    assert all("the right to CONFIG GET is missing" in line for line in lines)


def test_a_redis_that_is_away_fails_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PAGEWORKER_REDIS__URL", "redis://127.0.0.1:9")
    monkeypatch.setenv("PAGEWORKER_WORKER__DATA_DIR", str(tmp_path))
    assert run(["doctor", "--audit", "--json"]) == 1
    found = findings(capsys)
    assert "redis-cli PING" in str(found["redis"]["mend"])
    assert found["consistency check"]["ok"] is False
