"""The screen shows what came back; what came back does not paint it."""

import io
from typing import Any

import pytest
from rich.console import Console

from pageworker_demo.terminal import DemoTerminal

NASTY = "[bold red]x[/bold red][/] \x1b[2J\x9b31m\u202e\\"


def answer(**more: Any) -> dict[str, Any]:
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
    told = io.StringIO()
    screen = DemoTerminal(Console(file=told, width=1000, force_terminal=terminal, color_system=None))
    screen.step(NASTY)
    screen.answered(answer())
    screen.links([answer()])
    screen.isolation([(NASTY, NASTY, NASTY)])
    screen.complaints([NASTY], f"one\n{NASTY}")
    screen.failed(NASTY)
    screen.epilogue(NASTY)
    text = told.getvalue()
    assert text.count("[bold red]x[/bold red][/] \\x1b[2J\\x9b31m\\u202e") == 13
    assert not set(text) & set("\x9b\u202e")
    assert "\x1b[2J" not in text
