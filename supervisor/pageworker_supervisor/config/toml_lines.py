"""On which line of a TOML text each key stands. tomllib tells nobody."""

import re
import tomllib
from typing import Any

Path = tuple[str, ...]

_AT = re.compile(r"\(at line (\d+), column \d+\)")


def lines_of(text: str) -> dict[Path, int]:
    """The first line of every key and table, counted from 1. `text` must be valid TOML.

    Statement by statement: lines are added until tomllib accepts them below the current table's header, so
    that multi-line strings, arrays and dotted keys are told apart by the one who knows.
    """
    found: dict[Path, int] = {}
    header = chunk = ""
    start = 1
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if not chunk:
            start = number
        chunk += line
        try:
            parsed = tomllib.loads(f"{header}\n{chunk}")
        except tomllib.TOMLDecodeError:
            continue
        if chunk.lstrip().startswith("["):
            header = chunk
            parsed = tomllib.loads(chunk)
        for path in _paths(parsed, ()):
            found.setdefault(path, start)
        chunk = ""
    return found


def error_line(error: tomllib.TOMLDecodeError, text: str) -> tuple[int, str]:
    """Line and bare message of a syntax error; the last line where the text ended too early."""
    match = _AT.search(str(error))
    line = int(match[1]) if match else max(1, len(text.splitlines()))
    return line, str(error).partition(" (at ")[0]


def _paths(value: dict[str, Any], base: Path) -> list[Path]:
    paths: list[Path] = []
    for key, inner in value.items():
        paths.append((*base, key))
        if isinstance(inner, dict):
            paths += _paths(inner, (*base, key))
    return paths
