"""`--help` of every command: a summary that starts with a verb, and a description of every parameter."""

import re

import pytest
from cli.commands import CALLABLE, COMMANDS

from pageworker_supervisor.cli.app import run

VERBS = {
    *(
        "Cancel",
        "Change",
        "Check",
        "Copy",
        "Create",
        "Delete",
        "Edit",
        "End",
        "Give",
        "Inspect",
        "Let",
        "List",
        "Open",
        "Make",
        "Operate",
        "Pack",
        "Point",
        "Publish",
        "Revoke",
        "Take",
    ),
    *(
        "Print",
        "Push",
        "Queue",
        "Release",
        "Remove",
        "Replace",
        "Restore",
        "Run",
        "Set",
        "Show",
        "Sign",
        "Stop",
        "Withdraw",
        "Verify",
        "Write",
    ),
}


def test_commands_in_groups_are_found() -> None:
    assert {("status",), ("module", "channel", "set"), ("config", "show")} <= set(CALLABLE)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_summary_is_one_line_and_starts_with_a_verb(path: tuple[str, ...]) -> None:
    texts = [COMMANDS[path].help or ""]
    if path in CALLABLE:
        texts.append(CALLABLE[path].default_command.__doc__ or "")
    for text in texts:
        summary, *rest = text.split("\n")
        assert summary.split(" ")[0].strip(",") in VERBS
        assert summary.endswith(".")
        assert not rest or rest[0] == "", "the summary is a paragraph of its own"


@pytest.mark.parametrize("path", CALLABLE, ids=" ".join)
def test_every_parameter_has_a_description(path: tuple[str, ...]) -> None:
    for argument in CALLABLE[path].assemble_argument_collection(parse_docstring=True):
        if argument.show:
            text = argument.parameter.help or ""
            assert re.fullmatch(r"[A-Z`].+\.", text, re.DOTALL), f"{argument.names}: {text!r}"


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_shows_how_to_call_it(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*path, "--help"]) == 0
    assert "Usage: workerctl " + " ".join(path) in capsys.readouterr().out


@pytest.mark.parametrize("path", CALLABLE, ids=" ".join)
def test_a_default_that_is_empty_is_not_shown(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    run([*path, "--help"])
    shown = " ".join(re.sub(r"[│\s]+", " ", capsys.readouterr().out).split())
    assert not re.search(r"\[default: *(\(\)|\[\]|''|\"\"|None)? *\]", shown), shown


def test_help_of_a_command_is_its_docstring_not_only_its_line_in_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    run(["--help"])
    assert "Example" not in capsys.readouterr().out
    run(["submit", "--help"])
    assert "Example" in capsys.readouterr().out
