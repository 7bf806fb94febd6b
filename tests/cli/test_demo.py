"""`workerctl demo`: the exit code and the console of the demonstration."""

import pytest
from rich.console import Console

from pageworker_supervisor.cli import demo as command
from pageworker_supervisor.cli.app import run


@pytest.mark.parametrize(("failures", "code"), [(0, 0), (1, 1)])
@pytest.mark.parametrize("keep", [False, True])
def test_it_ends_with_0_only_if_every_job_ended_as_expected(
    monkeypatch: pytest.MonkeyPatch, failures: int, code: int, keep: bool
) -> None:
    calls: list[tuple[int, bool]] = []

    def fake(console: Console, *, keep: bool) -> int:
        calls.append((console.width, keep))
        return failures

    monkeypatch.setattr(command, "run_demo", fake)
    assert run(["demo", *(["--keep"] if keep else [])]) == code
    assert calls == [(command.PIPE_WIDTH, keep)], "a pipe gets a fixed width"
