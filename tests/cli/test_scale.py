"""`workerctl scale`: what it prints, and how it ends."""

import io
import json
from pathlib import Path

import pytest

from pageworker_supervisor.cli.app import run


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
