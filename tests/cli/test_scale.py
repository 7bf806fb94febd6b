"""`workerctl scale`: what it prints, and how it ends."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import jsonschema_rs
import pytest
from cli.conftest import OnQueue
from pw_queue import QueueHarness, ticket
from pw_servers import RedisServer, redis_server

from pageworker_supervisor.cli.app import run
from pageworker_supervisor.cli.json_schema import shipped_schema


class Stdin:
    """Standard input with these bytes."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


@pytest.fixture
def load(tmp_path: Path) -> Path:
    """A job per second, of five seconds each, for two hours."""
    file = tmp_path / "load.jsonl"
    file.write_text("".join(f'{{"at": {at}, "service_seconds": 5}}\n' for at in range(7200)))
    return file


def test_a_simulation_prints_hours_and_totals(load: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scale", "--simulate", str(load)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("HOUR  JOBS  MINUTES IN TIME")
    assert "\n0     3600  60/60" in printed
    assert "minutes with age ≤ 60 s: 100.00% of 120\n" in printed
    assert "reversals per hour: 0.00, at most 0 in one hour\n" in printed


def test_json_has_the_same_and_nothing_else(load: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scale", "--simulate", str(load), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["minutes"] == 120
    assert found["in_time"] == 1
    assert [hour["jobs"] for hour in found["hours"]] == [3600, 3600]


def test_a_generated_day_can_be_simulated(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGEWORKER_SCALING__MAX_WORKERS", "2")
    monkeypatch.setenv("PAGEWORKER_SCALING__PAGES_PER_WORKER", "1")
    assert run(["scale", "--generate", "day", "--seed", "7"]) == 0
    day = capsys.readouterr().out
    assert run(["scale", "--generate", "day", "--seed", "7"]) == 0
    assert capsys.readouterr().out == day
    monkeypatch.setattr("sys.stdin", Stdin(day.encode()))
    assert run(["scale", "--simulate", "-", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["hours"]) == 24
    assert found["most_workers"] == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [(b'{"at": 1}', "line 1: "), (b"", "the load has no job"), (b'{"at": 1, "\x1b[2J": 2}', "line 1: ")],
)
def test_a_wrong_load_is_a_usage_error(
    content: bytes, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "load").write_bytes(content)
    assert run(["scale", "--simulate", str(tmp_path / "load")]) == 2
    printed = capsys.readouterr()
    assert says in printed.err
    assert "\x1b" not in printed.err
    assert printed.out == ""


def test_a_file_that_is_not_there_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scale", "--simulate", "/nope"]) == 2
    assert "No such file" in capsys.readouterr().err


def test_without_options_it_shows_the_fleet_of_now(
    on_queue: OnQueue, live_redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fill(harness: QueueHarness) -> None:
        await harness.producer.enqueue([ticket("j1", concurrency=1), ticket("j2", concurrency=1)])
        await harness.one()

    on_queue(fill)
    live_redis.command("RPUSH", "pw:inbox", "\x1b[2J")
    assert run(["scale"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("1 workers wanted: ")
    assert "\ninbox                         1 " in printed
    assert "\ntenant_concurrency             1" in printed
    assert run(["scale", "--json"]) == 0
    text = capsys.readouterr().out
    jsonschema_rs.validator_for(json.loads(shipped_schema("scale"))).validate(json.loads(text))
    assert json.loads(text)["jobs"]["running"] == 1


def test_redis_that_is_away_or_frozen_is_named_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PAGEWORKER_WORKER__DATA_DIR", str(tmp_path))
    with redis_server() as server:
        monkeypatch.setenv("PAGEWORKER_REDIS__URL", server.url)
        server.pause()
        assert run(["scale"]) == 3
        assert "does not answer" in capsys.readouterr().err
        server.resume()
        server.stop()
        assert run(["scale"]) == 3
        assert "Redis does not answer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--serve", "nonsense"], 2),
        (["--serve", "127.0.0.1:1", "--simulate", "x"], 2),
        (["--serve", "127.0.0.1:99999"], 2),
        (["--serve", "no-such-host.invalid:0"], 1),
        (["--generate", "night"], 2),
    ],
)
def test_a_wrong_call_ends_with_its_code(
    words: list[str], code: int, live_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAGEWORKER_REDIS__URL", live_redis.url)
    assert run(["scale", *words]) == code


def test_the_process_serves_until_sigterm_and_ends_with_zero(live_redis: RedisServer, tmp_path: Path) -> None:
    live_redis.command("RPUSH", "pw:inbox", "{}")
    variables = {"PAGEWORKER_REDIS__URL": live_redis.url, "PAGEWORKER_WORKER__DATA_DIR": str(tmp_path)}
    program = Path(sys.executable).with_name("workerctl")
    command = [str(program), "scale", "--serve", "127.0.0.1:0"]
    with subprocess.Popen(command, env={**os.environ, **variables}, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            address = json.loads(process.stdout.readline())["address"]
            assert json.loads(process.stdout.readline())["wanted_workers"] == 1
            assert httpx.get(f"http://{address}/wanted", trust_env=False, timeout=30).json()["wanted_workers"] == 1
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()
