"""What commands print, and how they end. With `--json` nothing but one JSON value goes to stdout."""

import sys
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Annotated

import msgspec
from cyclopts import Parameter

from pageworker_supervisor.contract.printable import printable, printable_json, printable_lines

Json = Annotated[bool, Parameter(name="--json", negative=(), help="Print JSON and nothing else.")]
"""Type of the `json` parameter of every command that prints data."""


class CommandExit(IntEnum):
    """Exit codes of `workerctl`."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    DEADLINE = 5


class CommandError(Exception):
    """Ends a command: the message and what to do about it go to stderr, the code to the shell."""

    def __init__(self, message: str, mend: str = "", exit_code: CommandExit = CommandExit.FAILED) -> None:
        super().__init__(message)
        self.mend = mend
        self.exit_code = exit_code


def show(value: object, text: str, json: bool) -> None:
    """A command's result: `value` (anything msgspec encodes) with `--json`, else the text for a person."""
    put(printable_json(msgspec.json.encode(value).decode()) if json else text)


def show_json(document: bytes, json: bool) -> None:
    """A JSON document as it is kept: on one line with `--json`, else indented."""
    put(printable_json(msgspec.json.format(document, indent=-1 if json else 2).decode(errors="replace")))


def put(text: str) -> None:
    """A line or lines for stdout. Foreign text in it has passed `printable`, so that it makes no lines of its own."""
    print(printable_lines(text))


def note(text: str) -> None:
    """Something beside the result: progress, a warning. Goes to stderr."""
    print(printable_lines(text), file=sys.stderr)


def complain(message: str, mend: str = "") -> None:
    """Why a command failed, and what to do."""
    note(f"workerctl: {message}" + (f"\n  {mend}" if mend else ""))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Aligned columns."""
    cells = [[printable(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)
