"""Maps TOML keys to line numbers, which tomllib does not expose."""

import re
import tomllib
from typing import Any

Path = tuple[str, ...]

_AT = re.compile(r"\(at line (\d+), column \d+\)")


def lines_of(text: str) -> dict[Path, int]:
    """The first line of every key and table, counted from 1. `text` must be valid TOML.

    Lines are added to a chunk until tomllib accepts it below the header of the current table. So tomllib itself decides
    where each statement ends, also for multi-line strings, arrays and dotted keys.
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
    """Line number and message of a syntax error. If the text ends too early, it is the last line."""
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
