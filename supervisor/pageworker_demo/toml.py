"""Writes tables as TOML. Strings, numbers, booleans and lists of them are written in TOML as in JSON."""

import json
from collections.abc import Iterator, Mapping
from datetime import date, time
from math import isfinite
from typing import Any


def toml_text(tree: Mapping[str, Any]) -> str:
    """`tree` as the text of a TOML file. Source: TOML 1.0.0, "Table"."""
    return "\n".join(_lines(tree, ())) + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    values = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    if path and (values or not table):
        yield f"[{'.'.join(map(_value, path))}]"
    for key, value in values.items():
        yield f"{_value(key)} = {_value(value)}"
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _lines(value, (*path, key))


def _value(value: object) -> str:
    """JSON differs from TOML in strings: its `\\u` escapes may be surrogate pairs, and it does not escape DEL."""
    match value:
        case Mapping():  # within a list: TOML has no other form for it there
            return "{" + ", ".join(f"{_value(key)} = {_value(inner)}" for key, inner in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_value, value)) + "]"
        case float() if not isfinite(value):
            return str(value)
        case date() | time():
            return value.isoformat()
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
