"""`workerctl logs` over a real control socket."""

import json
import logging
from pathlib import Path

import pytest
from cli.test_worker import Scripted, called

from pageworker_supervisor.cli.logs import text_of
from pageworker_supervisor.cli.output import CommandExit
from pageworker_supervisor.telemetry.recent_lines import RecentLines


def kept(most_lines: int = 10) -> RecentLines:
    lines = RecentLines(most_lines=most_lines)
    for level, text in (
        (logging.INFO, '{"ts":"2026-11-27T09:00:00.000Z","level":"info","message":"ready","worker_id":"w1"}'),
        (logging.WARNING, '{"ts":"2026-11-27T09:00:01.000Z","level":"warning","message":"slow","job":"acme/17"}'),
    ):
        lines.add(level, text)
    return lines


async def test_lines_are_printed_for_people_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await called(tmp_path, Scripted(), "logs", recent=kept()) == CommandExit.DONE
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "2026-11-27T09:00:00.000Z INFO    ready  worker_id=w1",
        "2026-11-27T09:00:01.000Z WARNING slow  job=acme/17",
    ]
    assert printed.err == ""
    assert await called(tmp_path, Scripted(), "logs", "--json", "acme/17", recent=kept()) == CommandExit.DONE
    assert json.loads(capsys.readouterr().out)["message"] == "slow"


@pytest.mark.parametrize(
    ("words", "code", "lines"),
    [
        ("--level warning", CommandExit.DONE, 1),
        ("--level error", CommandExit.FAILED, 0),
        ("acme/1", CommandExit.FAILED, 0),
        ("--count 1", CommandExit.DONE, 1),
        ("--since 1h", CommandExit.DONE, 2),
        ("--since 2020-01-01T00:00:00Z", CommandExit.DONE, 2),
        ("--since soon", CommandExit.USAGE, 0),
        ("acme", CommandExit.USAGE, 0),
        ("--count 10001", CommandExit.USAGE, 0),
    ],
)
async def test_which_lines_are_printed(
    tmp_path: Path, words: str, code: CommandExit, lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await called(tmp_path, Scripted(), "logs", *words.split(), recent=kept()) == code
    assert len(capsys.readouterr().out.splitlines()) == lines


async def test_a_job_without_lines_here_is_looked_for_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await called(tmp_path, Scripted(), "logs", "acme/1", recent=kept())
    assert "`workerctl jobs show acme/1 --timeline`" in capsys.readouterr().err
    await called(tmp_path, Scripted(), "logs", "--level", "error", recent=kept())
    told = capsys.readouterr().err
    assert "no such line" in told
    assert "jobs show" not in told


async def test_lines_that_are_gone_are_mentioned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await called(tmp_path, Scripted(), "logs", recent=kept(most_lines=1))
    assert "The worker keeps lines since " in capsys.readouterr().err
    await called(tmp_path, Scripted(), "logs", recent=RecentLines())
    assert "The worker keeps no line." in capsys.readouterr().err


def test_foreign_text_cannot_begin_a_line() -> None:
    text = text_of({"ts": "t", "level": "info", "message": "a\nb", "title": "c\nd e", "exception": "x\ny\x1b[2J"})
    head, *trace = text.split("\n")
    assert head.startswith("t INFO    a")
    assert all(line.startswith("    | ") for line in trace)
    assert "\x1b" not in text
