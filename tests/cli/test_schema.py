"""`workerctl schema`."""

import json

import pytest

from pageworker_supervisor.cli.app import run
from pageworker_supervisor.cli.json_schema import PRINTED


def test_the_schema_of_a_command_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "module", "channel", "set"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "workerctl module channel set --json"


def test_without_a_command_those_with_a_schema_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == 0
    assert capsys.readouterr().out.splitlines() == list(PRINTED)


def test_a_command_without_json_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "nonsense\x1b[2J"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "\x1b" not in printed.err
