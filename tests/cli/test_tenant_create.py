"""`workerctl tenant create` on a real queue. No worker runs, so a change counts at once."""

import json
from pathlib import Path

import pytest
from cli.conftest import OnQueue
from pw_queue import QueueHarness

from pageworker_supervisor.cli.app import run


async def nothing(harness: QueueHarness) -> None:
    """The queue as it is."""


def central(capsys: pytest.CaptureFixture[str], name: str) -> object:
    capsys.readouterr()
    assert run(["config", "get", name, "--json"]) == 0
    value: object = json.loads(capsys.readouterr().out)
    return value


def test_settings_are_written_and_recorded(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    on_queue(nothing)
    words = ["tenant", "create", "acme", "concurrency=4", 'egress=["shop.example"]', "--reason", "new"]
    assert run(words) == 0
    assert central(capsys, "tenants.acme.concurrency") == 4
    assert central(capsys, "tenants.acme.egress") == ["shop.example"]
    assert run(["audit", "list", "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    first = records[0] if isinstance(records[0], dict) else records[0][0]
    assert "tenant.create" in json.dumps(first)


def test_a_tenant_without_settings_is_known_afterwards(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    on_queue(nothing)
    assert run(["tenant", "create", "acme", "--reason", "new"]) == 0
    assert central(capsys, "tenants.acme.weight") == 1.0
    assert run(["tenant", "list"]) == 0
    assert "acme" in capsys.readouterr().out


def test_a_tenant_that_exists_is_not_overwritten(
    on_queue: OnQueue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on_queue(nothing)
    assert run(["tenant", "create", "acme", "concurrency=4", "--reason", "new"]) == 0
    assert run(["tenant", "create", "acme", "concurrency=5", "--reason", "new"]) == 4
    assert "tenant acme has settings already" in capsys.readouterr().err
    assert central(capsys, "tenants.acme.concurrency") == 4
    config = tmp_path / "pageworker.toml"
    config.write_text("[tenants.local]\nweight = 2.0\n")
    assert run(["tenant", "create", "local", "--reason", "new", "--config", str(config)]) == 4


def test_a_glob_that_counts_no_more_is_named(
    on_queue: OnQueue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    on_queue(nothing)
    config = tmp_path / "pageworker.toml"
    config.write_text('[tenants."ac*"]\nweight = 2.0\n')
    assert run(["tenant", "create", "acme", "--reason", "new", "--config", str(config)]) == 0
    assert 'acme had the settings of tenants."ac*"' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "exit_code", "error"),
    [
        (["Acme"], 2, "is no name of a tenant"),
        (["acme", "concurency=4"], 4, "concurrency"),
        (["acme", "concurrency=many"], 4, "concurrency"),
        (["acme", "concurrency"], 2, "no NAME=VALUE"),
    ],
)
def test_a_mistake_changes_nothing(
    on_queue: OnQueue, words: list[str], exit_code: int, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    on_queue(nothing)
    assert run(["tenant", "create", *words, "--reason", "new"]) == exit_code
    assert error in capsys.readouterr().err
    assert run(["config", "get", "tenants.acme.weight"]) == 1
