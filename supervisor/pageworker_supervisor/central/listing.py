"""The central configuration as lines that people read and edit: `NAME = VALUE`, the value in JSON. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from pageworker_supervisor.config.central_document import CentralValues
from pageworker_supervisor.config.errors import ConfigInvalid, ConfigProblem
from pageworker_supervisor.contract.printable import printable

ASSIGNMENT = re.compile(r"""\s*((?:"(?:[^"\\]|\\.)*"|'[^']*'|[^"'=#\s])+)\s*=(.*)""", re.DOTALL)
"""`NAME = VALUE`. A quoted part of the name may contain `=`."""


def listing(values: CentralValues) -> str:
    """One line per setting, in the order of the names."""
    return "".join(f"{name} = {in_json(values[name])}\n" for name in sorted(values))


def values_of_listing(untrusted_text: str, source: str) -> CentralValues:
    """The values of a listing. Empty lines and lines that begin with `#` are ignored.

    Raises ConfigInvalid with every line that is not `NAME = VALUE`.
    """
    values: dict[str, Any] = {}
    problems: list[ConfigProblem] = []
    for number, line in enumerate(untrusted_text.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        at = f"{source}:{number}"
        match = ASSIGNMENT.fullmatch(line)
        if match is None:
            problems.append(ConfigProblem(at, "", line.strip()[:60], "NAME = VALUE", "the value is JSON"))
        elif match[1] in values:
            problems.append(ConfigProblem(at, match[1], "", "each setting once"))
        else:
            try:
                values[match[1]] = msgspec.json.decode(match[2])
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                hint = 'a text needs quotes: "debug"'
                problems.append(ConfigProblem(at, match[1], match[2].strip()[:60], "a value in JSON", hint))
    if problems:
        raise ConfigInvalid(tuple(problems))
    return values


def differences(before: CentralValues, after: CentralValues) -> Iterator[str]:
    """One line per setting that was removed (`-`), or added or changed (`+`)."""
    for name in sorted(set(before) | set(after)):
        old, new = _line(before, name), _line(after, name)
        if old != new:
            yield from (f"- {old}" for _ in range(bool(old)))
            yield from (f"+ {new}" for _ in range(bool(new)))


def in_json(value: Any) -> str:
    """A value on one line."""
    return msgspec.json.encode(value).decode()


def _line(values: Mapping[str, Any], name: str) -> str:
    return f"{printable(name)} = {printable(in_json(values[name]))}" if name in values else ""
