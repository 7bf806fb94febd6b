"""Writes plain tables as TOML. Strings, numbers, booleans and lists of them are the same in TOML as in JSON."""

import json
from collections.abc import Iterator, Mapping
from typing import Any


def toml_text(tree: Mapping[str, Any]) -> str:
    """The text of a TOML file with `tree`. Source: TOML 1.0.0, "Table"."""
    return "\n".join(_lines(tree, ())) + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    values = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    if path and values:
        yield f"[{'.'.join(map(json.dumps, path))}]"
    for key, value in values.items():
        yield f"{json.dumps(key)} = {json.dumps(value)}"
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _lines(value, (*path, key))
