"""`workerctl tenant` on a real queue."""

import json
import time
from pathlib import Path

import jsonschema_rs
import pytest
from cli.conftest import OnQueue
from pw_queue import QueueHarness, ticket
from pw_servers import RedisServer

from pageworker_supervisor.cli.app import run
from pageworker_supervisor.cli.json_schema import shipped_schema
from pageworker_supervisor.queue.limits_table import LimitsTable
from pageworker_supervisor.queue.producer import QuotaLimits


async def fill(harness: QueueHarness) -> None:
    limits = QuotaLimits(concurrency=1, rate_per_second=5.0, burst=9)
    await harness.queue.limits.set(LimitsTable(tenants={"acme": limits}))
    await harness.producer.enqueue([ticket("1", "acme"), ticket("2", "acme"), ticket("3", "other")])
    await harness.take()
    await harness.queue.pauses.pause("tenant", "other", "the shop\nis down", "ann")


def checked(command: str, text: str) -> object:
    """The JSON that a command printed, valid against its shipped schema."""
    value = json.loads(text)
    jsonschema_rs.validator_for(json.loads(shipped_schema(command))).validate(value)
    return value


def test_a_list_says_who_is_throttled_and_names_configured_tenants(
    on_queue: OnQueue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on_queue(fill)
    config = tmp_path / "pageworker.toml"
    config.write_text('[tenants.quiet]\nbacklog_jobs = 7\n[tenants."many-*"]\nweight = 2.0\n')
    assert run(["tenant", "list", "--config", str(config)]) == 0
    _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["acme", "other", "quiet"]
    assert "throttled: tenant concurrency" in lines[0]
    assert "paused: tenant other: the shop" in lines[1]
    assert run(["tenant", "list", "--config", str(config), "--json"]) == 0
    found = checked("tenant list", capsys.readouterr().out)
    assert isinstance(found, list)
    assert [(each["usage"]["tenant_id"], each["backlog_jobs"]) for each in found][2] == ("quiet", 7)


def test_those_with_most_waiting_jobs_come_first(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    async def crowd(harness: QueueHarness) -> None:
        waiting = [ticket(f"z{number}", "zoo", delay_ms=60_000 * (number % 2)) for number in range(3)]
        await harness.producer.enqueue([ticket("a1", "acme"), *waiting, ticket("b1", "big"), ticket("b2", "big")])

    on_queue(crowd)
    assert run(["tenant", "list"]) == 0
    _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["zoo", "big", "acme"]


def test_one_tenant_is_shown(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    on_queue(fill)
    assert run(["tenant", "show", "acme"]) == 0
    shown = capsys.readouterr().out
    assert "1 of 1, 50% of what runs" in shown
    assert "5/s, burst 9" in shown
    assert run(["tenant", "show", "other"]) == 0
    assert "without end, by ann since 20" in capsys.readouterr().out
    assert run(["tenant", "show", "acme", "--json"]) == 0
    found = checked("tenant show", capsys.readouterr().out)
    assert isinstance(found, dict)
    assert (found["usage"]["queued"], found["usage"]["throttled"]) == (1, "throttled: tenant concurrency")


def test_the_rest_is_counted(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    on_queue(fill)
    assert run(["tenant", "list", "--count", "1"]) == 0
    assert "There are more tenants" in capsys.readouterr().err


def test_central_limits_count(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    """No worker runs, so a change of the central configuration counts at once."""
    on_queue(fill)
    assert run(["config", "set", "tenants.acme.backlog_jobs=11", "--reason", "x"]) == 0
    capsys.readouterr()
    assert run(["tenant", "show", "acme"]) == 0
    assert "2 of 11" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "exit_code", "error"),
    [
        (["show", "Acme"], 2, "is no name of a tenant"),
        (["show", "a*"], 4, "globs are not supported yet"),
        (["list", "--count", "0"], 2, "--count"),
    ],
)
def test_wrong_words_are_refused(
    words: list[str], exit_code: int, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["tenant", *words]) == exit_code
    assert error in capsys.readouterr().err


def test_a_frozen_redis_ends_with_3_in_two_seconds(
    on_queue: OnQueue, live_redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["list"], ["show", "acme"]):
        live_redis.pause()
        try:
            before = time.monotonic()
            assert run(["tenant", *words]) == 3
            assert time.monotonic() - before < 2.0
        finally:
            live_redis.resume()
        assert "does not answer" in capsys.readouterr().err
