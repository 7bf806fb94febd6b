"""Generates docs/configuration.md from the Structs: `python -m pageworker_supervisor.config.reference`."""

import ast
import inspect
import sys
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct

from pageworker_supervisor.config.environment import PREFIX
from pageworker_supervisor.config.reference_examples import CHAPTERS
from pageworker_supervisor.config.reload import reload_of
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.toml_lines import Path
from pageworker_supervisor.contract.type_names import describe, first, is_struct

HEAD = f"""# Configuration

`pageworker --config FILE` reads one TOML file. Without the option, `pageworker` and `workerctl` read the file that the
variable `PAGEWORKER_CONFIG` names. Every setting has a default, so the file is optional. If there is a mistake, the
worker does not start. It lists all mistakes: where, what was found, what was expected, and a hint.

A number is at most 9007199254740991 (2^53 - 1), and a number of seconds at most 10000000000, if its range does not say
less.

Settings that all workers share can be in the [central configuration](central-config.md). It overrides the file, and
environment variables override both.

An environment variable overrides a setting. Its name is `{PREFIX}`, the section, two underscores and the setting:
`{PREFIX}REDIS__URL`. Write lists and tables as JSON or TOML: `{PREFIX}EGRESS__PORTS='[80, 443]'`,
`{PREFIX}TENANTS='{{"acme": {{"weight": 2}}}}'`. A table overrides the table of the file key by key. An empty variable
counts as not set. The variables that Kubernetes sets for a Service whose name begins with `pageworker`
(`{PREFIX}REDIS_PORT=tcp://…`) are ignored.

The column "change" says when a change of the setting takes effect in a worker:

- `hot`: while it runs, if it changes in the central configuration, or in the file before a SIGHUP. A change of a
  variable always takes effect at the next start.
- `restart`: at its next start.
- `local`: at its next start. It can be set in the file or a variable only, never centrally.

`workerctl config check` checks file and variables without starting a worker. `workerctl config show` prints the
settings in effect. Most secrets are in files of their own. Passwords inside URLs, and the values of
`callback_headers`, are never shown.

This page is generated from the code: `python -m pageworker_supervisor.config.reference`.
"""


def document() -> str:
    """The page in Markdown."""
    texts = descriptions()
    return "\n".join([HEAD, CHAPTERS, *_sections((), Settings, texts)])


def _sections(above: Path, struct: type[Struct], texts: dict[tuple[str, str], str]) -> Iterator[str]:
    """Every table below `struct`, tables in tables included. `above`: the path of its own table."""
    for field in msgspec.structs.fields(struct):
        inner = _table(field)
        if inner is not None:
            many = get_origin(first(field.type)) is dict
            at = (*above, field.name, "<name>") if many else (*above, field.name)
            yield _section(at, inner, texts)
            yield from _sections(at, inner, texts)


def _table(field: msgspec.structs.FieldInfo) -> type[Struct] | None:
    """The Struct of a field that is a table, or a table of tables."""
    inner = first(field.type)
    if get_origin(inner) is dict:
        inner = first(get_args(inner)[1])
    return inner if is_struct(inner) else None


def _section(at: Path, struct: type[Struct], texts: dict[tuple[str, str], str]) -> str:
    lines = [f"## `[{'.'.join(at)}]`", "", inspect.cleandoc(struct.__doc__ or ""), ""]
    lines += ["| setting | value | default | change | |", "|---|---|---|---|---|"]
    for field in msgspec.structs.fields(struct):
        if _table(field) is not None:
            continue
        text = " ".join(texts.get((struct.__name__, field.name), "").split())
        change = reload_of((*at, field.name)).value
        columns = (f"`{field.name}`", describe(field.type), _default(field), change, text)
        lines.append("| " + " | ".join(column.replace("|", "\\|") for column in columns) + " |")
    return "\n".join([*lines, ""])


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.default is not NODEFAULT:
        return _toml(field.default)
    if field.name == "id":
        return "name of the host"
    return _toml(field.default_factory()) if field.default_factory is not NODEFAULT else ""


def _toml(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return f"`{str(value).lower()}`"
        case str():
            return f'`"{value}"`'
        case tuple() | list():
            return "`[" + ", ".join(_toml(inner).strip("`") for inner in value) + "]`"
        case dict():
            return "`{}`"
        case float():
            return f"`{value:g}`"
    return f"`{value}`"


def descriptions() -> dict[tuple[str, str], str]:
    """`(class, field)` → the docstring below the field. Python keeps it only in the source."""
    found: dict[tuple[str, str], str] = {}
    folder = files("pageworker_supervisor.config")
    sources = [file.read_text(encoding="utf-8") for file in folder.iterdir() if file.name.endswith("settings.py")]
    for node in (node for text in sources for node in ast.parse(text).body):
        if not isinstance(node, ast.ClassDef):
            continue
        for field, text in zip(node.body, node.body[1:], strict=False):
            match field, text:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(words))),
                ):
                    found[node.name, name] = words
    return found


if __name__ == "__main__":
    sys.stdout.write(document())
