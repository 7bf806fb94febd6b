"""Generates the pages of `--help` from the docstrings. `cli/generate.py` writes them."""

import inspect
from collections.abc import Iterator, Sequence

from cyclopts import App
from cyclopts.help import HelpEntry
from rich.console import Console

from pageworker_supervisor.cli.app import app
from pageworker_supervisor.cli.help_page import COMMANDS_HEAD, page_file

PARAMETERS = "\nParameters\n----------\n"
EMPTY = ("", '""', "()", "False", "None")
"""Defaults that say nothing."""
WIDE = Console(width=100_000)


def pages() -> dict[str, str]:
    """The text of each page by the name of its file."""
    return {page_file(path): page(path, command) for path, command in [((), app), *every_command()]}


def every_command(group: App = app, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], App]]:
    """Every group and command that `--help` lists, with the words that call it."""
    for name in group:
        command = group[name]
        if not name.startswith("-") and command.show:
            yield (*path, name), command
            yield from every_command(command, (*path, name))


def page(path: Sequence[str], command: App) -> str:
    """The page of one command."""
    described = inspect.getdoc(command.default_command) if command.default_command is not None else None
    described = (described or command.help or "").split(PARAMETERS)[0].strip()
    paragraphs = [" ".join(part.split()) for part in described.split("\n\n")]
    commands = [name for name in command if not name.startswith("-") and command[name].show]
    entries = _parameters(path)
    usage = ["Usage: workerctl", *path, *(["COMMAND"] if commands else [])]
    usage += [label if required else f"[{label}]" for label, _, required in entries if not label.startswith("-")]
    lines = [" ".join([*usage, *(["[OPTIONS]"] if entries or not path else [])]), ""]
    lines += [line for paragraph in paragraphs for line in (paragraph, "")]
    if commands:
        told = [f"\t{name}\t{_first_line(command[name].help)}" for name in commands]
        lines += [COMMANDS_HEAD, *told, ""]
    if not path:
        lines += ["Options:", "\t--help, -h\tShow this text, or that of a command.", "\t--version\tShow the version."]
    elif entries:
        lines += ["Options:", *(f"\t{label}\t{text}" for label, text, _ in entries)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _parameters(path: Sequence[str]) -> list[tuple[str, str, bool]]:
    # cyclopts has no public function that returns what it would print.
    found = app._assemble_help_panels(list(path), "plaintext")
    return [_parameter(entry) for _, panel in found if panel.format == "parameter" for entry in panel.entries]


def _parameter(entry: HelpEntry) -> tuple[str, str, bool]:
    """Label and text of a parameter, and whether a command line must have it."""
    text = [_plain(entry.description)]
    if entry.choices:
        text.append(f"[choices: {', '.join(entry.choices)}]")
    if entry.default is not None and str(entry.default) not in EMPTY:
        text.append(f"[default: {entry.default}]")
    if entry.required:
        text.append("[required]")
    label = entry.positional_label or ", ".join(entry.all_options) + (f" {entry.metavar}" if entry.metavar else "")
    return label, " ".join(part for part in text if part), entry.required


def _plain(described: object) -> str:
    with WIDE.capture() as captured:
        WIDE.print(described, markup=False, highlight=False)
    return " ".join(captured.get().split())


def _first_line(text: str | None) -> str:
    return (text or "").split("\n")[0]
