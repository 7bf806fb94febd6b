"""`workerctl config get|set|unset|edit|validate` on a real Redis."""

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli.conftest import OnQueue
from pw_queue import QueueHarness, open_harness
from pw_servers import RedisServer
from pw_servers.s3 import ENVIRONMENT, s3_server

from pageworker_supervisor.central.follower import ConfigFollower
from pageworker_supervisor.central.parameter_store import ParameterStore
from pageworker_supervisor.cli.app import run
from pageworker_supervisor.cli.doctor import _parameters
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.load import load, read_local
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.telemetry.metrics import Metrics

Capture = pytest.CaptureFixture[str]
WHY = ("--reason", "to see it")


async def nothing(harness: QueueHarness) -> None:
    """The queue as it is."""


@contextmanager
def worker(server: RedisServer, name: str = "w1", **environ: str) -> Iterator[None]:
    """A worker's part in the central configuration, which runs beside the command."""
    ready, stop = threading.Event(), threading.Event()

    async def follow() -> None:
        async with open_harness(server.port) as harness:

            async def probe() -> None:
                await harness.client.ping()

            local = read_local(None, environ)
            follower = ConfigFollower(
                name, harness.queue.config, Availability(probe), local, Live(local.settings()), Metrics()
            )
            await harness.consumer.register_worker(name)
            await follower.start()
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(follower.run())
                while not stop.is_set():
                    if await harness.client.blmpop(0.1, 1, f"pw:{{0}}:control:{name}", direction="LEFT"):
                        follower.notice()
                    elif name in (await harness.queue.config.state()).workers:
                        ready.set()
                running.cancel()
            await follower.leave()

    thread = threading.Thread(target=lambda: asyncio.run(follow()))
    thread.start()
    try:
        assert ready.wait(30)
        yield
    finally:
        stop.set()
        thread.join(30)


def test_a_value_is_set_shown_and_unset(on_queue: OnQueue, live_redis: RedisServer, capsys: Capture) -> None:
    with worker(live_redis):
        assert run(["config", "set", "pool.runners=6", "log.level=debug", *WHY, "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report == {"state": "committed", "version": 1, "workers": {"w1": ["runs version 1"]}}
        assert run(["config", "get", "log.level", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == "debug"
        assert run(["config", "show", "--origin", "--json"]) == 0
        found = {one["setting"]: (one["value"], one["layer"]) for one in json.loads(capsys.readouterr().out)}
        assert (found["pool.runners"], found["pool.pages"]) == ((6, "central"), (4, "default"))
        assert run(["config", "unset", "pool.runners", *WHY]) == 0
        assert "w1: runs version 2" in capsys.readouterr().out
        assert run(["config", "get", "pool.runners"]) == 1
        assert "is not set centrally" in capsys.readouterr().err


def test_a_tenant_that_loses_the_settings_of_a_glob_is_named(
    on_queue: OnQueue, tmp_path: Path, capsys: Capture
) -> None:
    on_queue(nothing)
    config = tmp_path / "pageworker.toml"
    config.write_text('[tenants."*"]\nconcurrency = 3\n')
    assert run(["config", "set", "tenants.acme.weight=2", *WHY, "--config", str(config)]) == 0
    assert 'acme had the settings of tenants."*"' in capsys.readouterr().err
    assert run(["config", "set", "tenants.acme.weight=3", *WHY, "--config", str(config)]) == 0
    assert "had the settings" not in capsys.readouterr().err


def test_a_change_that_a_worker_refuses_has_exit_code_4_and_every_reason(
    on_queue: OnQueue, live_redis: RedisServer, capsys: Capture
) -> None:
    with worker(live_redis), worker(live_redis, "w2", PAGEWORKER_SANDBOX__UIDS="12"):
        assert run(["config", "set", "pool.runners=9", *WHY]) == 4
        printed = capsys.readouterr().out
        assert "refused: version 0 counts" in printed
        assert "w2: refused: sandbox.uids, found 12" in printed
        assert "w1" not in printed


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["pool.runners=0", "pool.pages=0"], 4, "2 mistakes"),
        (["redis.url=redis://x"], 4, "it is never central"),
        (["pool.runers=3"], 4, "did you mean `pool.runners`?"),
        (["pool.runners"], 2, "no NAME=VALUE"),
        (["*.a.test=3"], 2, "no name of a setting"),
        ([], 2, "ASSIGNMENTS is missing"),
    ],
    ids=str,
)
def test_mistakes_are_found_before_workers_are_asked(
    on_queue: OnQueue, capsys: Capture, words: list[str], code: int, told: str
) -> None:
    assert run(["config", "set", *words, *WHY]) == code
    assert told in capsys.readouterr().err


def test_a_reason_is_needed(on_queue: OnQueue, capsys: Capture) -> None:
    assert run(["config", "set", "pool.runners=3"]) == 2
    assert run(["config", "set", "pool.runners=3", "--reason", " "]) == 2
    assert "Say why" in capsys.readouterr().err


def test_a_name_has_one_form(on_queue: OnQueue, capsys: Capture) -> None:
    assert run(["config", "set", "domains.'*.a.test'.burst=3", *WHY]) == 0
    assert run(["config", "get", 'domains."*.a.test".burst']) == 0
    assert capsys.readouterr().out.endswith("3\n")


def test_the_origin_of_a_central_setting_is_named_once(on_queue: OnQueue, capsys: Capture) -> None:
    assert run(["config", "set", "pool.runners=6", *WHY]) == 0
    assert run(["config", "show", "--origin"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("pool.runners")]
    assert line.split() == ["pool.runners", "6", "central", "configuration"]


@pytest.mark.parametrize("command", [["unset", *WHY], ["get"]], ids=["unset", "get"])
def test_a_setting_that_is_not_set_is_a_failure_of_one_kind(
    on_queue: OnQueue, capsys: Capture, command: list[str]
) -> None:
    assert run(["config", command[0], "pool.runners", *command[1:]]) == 1
    told = capsys.readouterr().err
    assert "not set centrally" in told
    assert "pool.runners" in told
    assert "workerctl config show --origin" in told


def editor(tmp_path: Path, script: str) -> str:
    """An editor that runs this on the file."""
    program = tmp_path / "editor"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


def test_the_whole_is_edited_in_one_step(
    on_queue: OnQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert run(["config", "set", "pool.runners=6", "pool.pages=3", *WHY]) == 0
    script = "sed -i -e '/pool.pages/d' -e 's/= 6/= 7/' \"$1\"; echo 'log.level = \"debug\"' >> \"$1\""
    monkeypatch.setenv("EDITOR", editor(tmp_path, script))
    assert run(["config", "edit", *WHY]) == 0
    assert run(["config", "diff", "--json"]) == 0
    lines = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert lines == ['+ log.level = "debug"', "- pool.pages = 3", "- pool.runners = 6", "+ pool.runners = 7"]


def test_a_change_on_a_version_that_is_old_by_now_is_refused(
    on_queue: OnQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    program = Path(__file__).parents[2] / ".venv" / "bin" / "workerctl"
    script = f"echo 'pool.runners = 7' >> \"$1\"; {program} config set pool.pages=3 --reason meanwhile"
    monkeypatch.setenv("EDITOR", editor(tmp_path, script))
    assert run(["config", "edit", *WHY]) == 4
    assert "version 0 was changed meanwhile: version 1 counts" in capsys.readouterr().err


def test_an_editor_that_fails_changes_nothing(
    on_queue: OnQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("EDITOR", editor(tmp_path, "exit 1"))
    assert run(["config", "edit", *WHY]) == 1
    monkeypatch.setenv("EDITOR", "vi '")
    assert run(["config", "edit", *WHY]) == 2
    assert "No closing quotation" in capsys.readouterr().err
    monkeypatch.setenv("EDITOR", editor(tmp_path, 'echo \'pool."runners" = 5\' >> "$1"'))
    assert run(["config", "edit", *WHY]) == 4, "another form of a name"
    monkeypatch.setenv("EDITOR", editor(tmp_path, "echo 'pool.runners' >> \"$1\""))
    assert run(["config", "edit", *WHY]) == 2
    assert "NAME = VALUE" in capsys.readouterr().err


def test_a_file_is_validated_without_a_change(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "central.conf"
    file.write_text("pool.runners = 6\n")
    assert run(["config", "validate", str(file)]) == 0
    file.write_text("pool.runners = 0\nredis.url = 3\n")
    assert run(["config", "validate", str(file)]) == 2
    assert "2 mistakes" in capsys.readouterr().err


@pytest.fixture
def in_parameter_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Parameter Store is to hold the central configuration."""
    for name, value in {**ENVIRONMENT, "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PAGEWORKER_CONFIG__CENTRAL", "ssm:/pageworker/prod")


@pytest.fixture
def aws(in_parameter_store: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server for it."""
    with s3_server() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        yield url


def in_aws() -> dict[str, str]:
    """The parameters."""
    return asyncio.run(ParameterStore("/pageworker/prod").read())


@pytest.mark.usefixtures("aws")
def test_with_a_parameter_store_the_parameters_are_written(
    on_queue: OnQueue, live_redis: RedisServer, capsys: Capture
) -> None:
    assert run(["config", "set", "pool.runners=6", "log.level=debug", *WHY]) == 0
    assert in_aws() == {"/pageworker/prod/pool/runners": "6", "/pageworker/prod/log/level": '"debug"'}
    assert run(["config", "unset", "log.level", *WHY]) == 0
    assert in_aws() == {"/pageworker/prod/pool/runners": "6"}
    with worker(live_redis, PAGEWORKER_SANDBOX__UIDS="14"):
        assert run(["config", "set", "pool.runners=9", "pool.pages=2", *WHY]) == 4
    assert in_aws() == {"/pageworker/prod/pool/runners": "6"}, "what the workers refuse is restored"
    capsys.readouterr()
    assert run(["config", "set", "domains.'*.a.test'.burst=3", *WHY]) == 4
    assert "put the setting into the table /pageworker/prod/domains" in capsys.readouterr().err
    assert run(["config", "rollback", "0", *WHY]) == 0
    assert in_aws() == {}


@pytest.mark.usefixtures("in_parameter_store")
def test_a_parameter_store_that_does_not_answer_is_named(
    on_queue: OnQueue, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert run(["config", "set", "pool.runners=6", *WHY]) == 3
    assert "Parameter Store at /pageworker/prod: EndpointConnectionError" in capsys.readouterr().err
    findings = list(_parameters(load(None, os.environ)))
    assert [(finding.ok, finding.mend) for finding in findings] == [(False, "check network and region")]


def test_with_central_off_nothing_is_changed(
    on_queue: OnQueue, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("PAGEWORKER_CONFIG__CENTRAL", "off")
    assert run(["config", "set", "pool.runners=6", *WHY]) == 1
    assert "config.central is off" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["set", "pool.runners=\udcff", *WHY], "not UTF-8"),
        (["set", 'tenants."\udcff".weight=1', *WHY], "not UTF-8"),
        (["unset", "pool.\udcff", *WHY], "not UTF-8"),
        (["set", "pool.runners=6", "--reason", "\udcff"], "not UTF-8"),
        (["set", "pool.runners=6", *WHY, "--who", "\udcff"], "not UTF-8"),
        (["set", "pool.runners=6", "--reason", "a" * 1001], "more than 1000 characters"),
    ],
)
def test_texts_that_no_version_can_hold_are_refused(
    arguments: list[str], words: str, on_queue: OnQueue, capsys: Capture
) -> None:
    assert run(["config", *arguments]) == 2
    assert words in capsys.readouterr().err
