"""Prints the results of commands, and defines how commands end. With `--json`, stdout gets one JSON value only."""

import sys
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Annotated

import msgspec
from cyclopts import Parameter

from pageworker_supervisor.contract.printable import printable, printable_json, printable_lines

Json = Annotated[bool, Parameter(name="--json", negative=(), help="Print JSON, and nothing else on stdout.")]
"""Type of the `json` parameter of every command that prints data."""


def _positive(_: object, number: int) -> None:
    # As cyclopts.validators.Number, which every `--help` would import.
    if number < 1:
        raise ValueError("Must be >= 1.")


Count = Annotated[int, Parameter(validator=_positive)]
"""Type of a parameter that bounds how many things are listed."""


class CommandExit(IntEnum):
    """Exit codes of `workerctl`."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    DEADLINE = 5


class CommandError(Exception):
    """Ends a command. Message and `mend` (how to fix it) go to stderr, the exit code to the shell."""

    def __init__(self, message: str, mend: str = "", exit_code: CommandExit = CommandExit.FAILED) -> None:
        super().__init__(message)
        self.mend = mend
        self.exit_code = exit_code


def show(value: object, text: str, json: bool) -> None:
    """Print the result of a command: `value` as JSON (anything that msgspec encodes), or the text for a person."""
    put(printable_json(msgspec.json.encode(value).decode()) if json else text)


def show_json(document: bytes, json: bool) -> None:
    """Print a JSON document without changing its values: on one line with `--json`, else indented."""
    put(printable_json(msgspec.json.format(document, indent=-1 if json else 2).decode(errors="replace")))


def put(text: str) -> None:
    """Print lines to stdout. The caller has passed foreign text through `printable`, so that it cannot add lines."""
    print(printable_lines(text))


def ask(question: str) -> bool:
    """Ask on the terminal. Anything but `y` or `yes` is a no."""
    print(printable_lines(f"{question} [y/N] "), end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def flush() -> None:
    """Write out what is printed so far: a pipe would get it late."""
    sys.stdout.flush()


def note(text: str) -> None:
    """Print progress or a warning to stderr."""
    print(printable_lines(text), file=sys.stderr)


def complain(message: str, mend: str = "") -> None:
    """Print to stderr why a command failed, and how to fix it."""
    note(f"workerctl: {message}" + (f"\n  {mend}" if mend else ""))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Aligned columns, one row per line."""
    lines = [[printable(value) for value in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
