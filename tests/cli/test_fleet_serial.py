"""`workerctl module serial`."""

import json

import pytest
from cli.conftest import OnQueue

from pageworker_supervisor.cli.app import run


def test_the_serial_is_shown_set_and_deleted(on_queue: OnQueue, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["module", "serial"]) == 0
    assert capsys.readouterr().out == "serial 0, seen by no worker yet\n"
    assert run(["module", "serial", "--set", "7", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["serial"] == 7
    assert run(["module", "serial"]) == 0
    assert capsys.readouterr().out == "serial 7, seen by workerctl\n"
    assert run(["module", "serial", "--set", "0"]) == 0
    assert capsys.readouterr().out.startswith("serial 0,")
