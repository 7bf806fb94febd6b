"""docs/workerctl.md lists every command with what it needs."""

import shlex
from pathlib import Path

import pytest
from cli.commands import CALLABLE

from pageworker_supervisor.cli.app import app
from pageworker_supervisor.cli.reference import NEEDS, QUESTIONS, example_of, reference

FILE = Path(__file__).parents[2] / "docs" / "workerctl.md"


def test_the_page_is_current() -> None:
    assert FILE.read_text() == reference(), "run python -m pageworker_supervisor.cli.generate"


def test_what_each_command_needs_is_known() -> None:
    assert set(NEEDS) == {" ".join(path) for path in CALLABLE}


def test_the_first_example_is_shown() -> None:
    assert example_of("Text.\n\nExample: `workerctl a`, or `workerctl b`.\n") == "workerctl a"
    assert example_of("Text.\n") is None


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_answered_by_three_valid_commands_at_most(question: str) -> None:
    commands = QUESTIONS[question]
    assert 1 <= len(commands) <= 3
    for command in commands:
        app.parse_args(shlex.split(command), print_error=False)
