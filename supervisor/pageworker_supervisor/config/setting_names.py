"""Names of settings as TOML writes them, `domains."*.example.com".concurrency`, and the types that they have. Pure."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any, get_args, get_origin

import msgspec
from msgspec import Struct

from pageworker_supervisor.config.toml_lines import Path
from pageworker_supervisor.contract.type_names import first, is_struct

MOST_NAME = 500
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class NameInvalid(ValueError):
    """The text is not the name of a setting in TOML."""


def dotted(path: Path) -> str:
    """The name of a setting: `("domains", "*.a.test", "burst")` is `domains."*.a.test".burst`."""
    return ".".join(
        part if _BARE.fullmatch(part) else msgspec.json.encode(part).decode().replace("\x7f", "\\u007f")
        for part in path
    )


def path_of(name: str) -> Path:
    """The path that a name stands for. Raises NameInvalid."""
    if len(name) > MOST_NAME or "\n" in name or "=" in _unquoted(name) or "#" in _unquoted(name):
        raise NameInvalid(f"at most {MOST_NAME} characters on one line, without = and # outside of quotes")
    try:
        # Any: a table, and in the loop below what is in it.
        tree: Any = tomllib.loads(f"{name} = 0")
    except tomllib.TOMLDecodeError as error:
        raise NameInvalid(str(error).partition(" (at ")[0]) from error
    path: Path = ()
    while isinstance(tree, dict):
        ((key, tree),) = tree.items()
        path = (*path, key)
    return path


def type_at(root: type[Struct], path: Path) -> tuple[Any, int]:
    """The type of what a path names, and how many of its keys are known: fewer than it has if it names no setting."""
    # Any: a Struct, then whatever msgspec takes as the type of a field.
    type_: Any = root
    for depth, key in enumerate(path):
        inner = first(type_)
        types = {field.name: field.type for field in msgspec.structs.fields(inner)} if is_struct(inner) else {}
        if key in types:
            type_ = types[key]
        elif get_origin(inner) is dict and key:
            type_ = get_args(inner)[1]
        else:
            return inner, depth
    return type_, len(path)


def is_table(type_: Any) -> bool:
    """True for a section, and for a table with one entry per name: what has settings below it."""
    inner = first(type_)
    return is_struct(inner) or get_origin(inner) is dict


def flat(value: Any, at: Path = ()) -> dict[Path, Any]:
    """Every setting of a section, by path. An empty table counts as a value."""
    items: Mapping[str, Any]
    if isinstance(value, Struct):
        items = {field.name: getattr(value, field.name) for field in msgspec.structs.fields(value)}
    elif isinstance(value, dict) and (value or not at):
        items = value
    else:
        return {at: value}
    return {path: inner for key, one in items.items() for path, inner in flat(one, (*at, key)).items()}


def _unquoted(name: str) -> str:
    return re.sub(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'', "", name)
