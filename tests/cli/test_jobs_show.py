"""`workerctl jobs show` on a real queue."""

import json
from pathlib import Path

import pytest
from cli.conftest import OnQueue
from pw_queue import QueueHarness, ticket

from pageworker_supervisor.cli.app import run

BODY = b'{"job_id":"j1","tenant_id":"acme","endpoint_module":"shop.product","payload":{"password":"hunter2"}}'
USED = b'{"attempt":1,"module":"shop.product","module_version":"1.4.2","config_version":3,"runner_id":"w1.1","page":0}'


async def run_once(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1", body=BODY)])
    lease = await harness.one()
    await harness.consumer.begin(lease, used=USED)


def test_a_running_job_is_shown_without_its_payload(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    on_queue(run_once)
    assert run(["jobs", "show", "acme/j1"]) == 0
    shown = capsys.readouterr().out
    assert "running" in shown
    assert "hunter2" not in shown
    assert "handler began" not in shown
    assert run(["jobs", "show", "acme/j1", "--timeline"]) == 0
    shown = capsys.readouterr().out
    assert [
        word for word in ("queued", "claimed", "handler began", "shop.product@1.4.2", "config 3") if word in shown
    ] == [*("queued", "claimed", "handler began", "shop.product@1.4.2", "config 3")]


def test_json_has_the_whole_timeline(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    on_queue(run_once)
    assert run(["jobs", "show", "acme/j1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["state"], found["module"], found["used"]["page"], found["history"]) == (
        "running",
        "shop.product",
        0,
        [],
    )
    assert run(["jobs", "show", "acme/j1", "--timeline", "--json"]) == 0
    lines = json.loads(capsys.readouterr().out)["history"]
    assert [line["event"] for line in lines] == ["enqueue", "claim", "begin"]
    assert lines[2]["facts"]["worker"] == "w1"


def test_an_unknown_job_ends_with_1(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["jobs", "show", "acme/nope"]) == 1
    assert "nothing is known of acme/nope" in capsys.readouterr().err
    assert run(["jobs", "show", "nope"]) == 2


def test_redis_away_ends_with_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PAGEWORKER_REDIS__URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("PAGEWORKER_WORKER__DATA_DIR", str(tmp_path))
    assert run(["jobs", "show", "acme/j1"]) == 3
