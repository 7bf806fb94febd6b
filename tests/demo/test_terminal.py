"""The demo's output shows foreign text as it is, without its control characters and markup."""

import io
from typing import Any

import pytest
from rich.console import Console

from pageworker_demo.terminal import DemoTerminal

NASTY = "[bold red]x[/bold red][/] \x1b[2J\x9b31m\u202e\\"


def result(**more: Any) -> dict[str, Any]:
    return {
        "job_id": NASTY,
        "tenant_id": NASTY,
        "endpoint_module": NASTY,
        "status": "succeeded",
        "worker_id": NASTY,
        "runner_id": NASTY,
        "timing": {"total": 1.0, "queued": 0.1, "admitted": 0.1, "ran": 0.5},
        "artifacts": [{"kind": NASTY, "bytes": 1, "sha256": "0" * 64}],
        **more,
    }


@pytest.mark.parametrize("terminal", [False, True])
def test_foreign_text_is_shown_as_it_is(terminal: bool) -> None:
    written = io.StringIO()
    output = DemoTerminal(Console(file=written, width=1000, force_terminal=terminal, color_system=None))
    output.step(NASTY)
    output.result(result())
    output.artifacts([result()])
    output.isolation([(NASTY, NASTY, NASTY)])
    output.problems([NASTY], f"one\n{NASTY}")
    output.failed(NASTY)
    output.next_steps(NASTY)
    text = written.getvalue()
    assert text.count("[bold red]x[/bold red][/] \\x1b[2J\\x9b31m\\u202e") == 13
    assert not set(text) & set("\x9b\u202e")
    assert "\x1b[2J" not in text
