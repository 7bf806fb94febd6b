"""Describes types and patterns in words, for error messages and the reference of settings."""

import datetime as dt
import re
import types
import typing
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Struct

_CLASS = re.compile(r"^\^?\[([^\]]+)\]\{(\d+),(\d+)\}(?:\$|\\Z)?$")

_PLAIN: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    Path: "a path",
    msgspec.Raw: "an object",
    dt.datetime: "an RFC 3339 instant with an offset, e.g. 2030-01-31T12:00:00Z",
}

_described: dict[str, str] = {}


def describe_pattern(pattern: str, words: str) -> str:
    """Register the description of a pattern. Returns the pattern."""
    _described[pattern] = words
    return pattern


def in_words(pattern: str) -> str:
    r"""`^[a-z0-9-]{1,63}\Z` → `1-63 of a-z0-9-`; else a registered description, else the pattern."""
    if pattern in _described:
        return _described[pattern]
    if simple := _CLASS.match(pattern):
        characters, least, most = simple.groups()
        return f"{least}-{most} of {characters}"
    return f"text that matches {pattern}"


def describe(type_: Any) -> str:
    """`Annotated[int, Meta(ge=1, le=64)]` → `a whole number, 1 to 64`. `X | None` is described as X."""
    origin = get_origin(type_)
    if origin is Annotated:
        base, *notes = get_args(type_)
        return _bounded(base, [note for note in notes if isinstance(note, msgspec.Meta)])
    if origin is Literal:
        return "one of " + ", ".join(str(value) for value in get_args(type_))
    if origin in (Union, types.UnionType):
        return describe(first(type_))
    if origin is tuple:
        return f"a list, each {describe(get_args(type_)[0])}"
    if origin is dict:
        inner = get_args(type_)[1]
        tables = is_struct(inner) or get_origin(inner) is dict
        return "a table of tables" if tables else f"a table, each value {describe(inner)}"
    return "a table" if is_struct(type_) else _PLAIN[type_]


def first(type_: Any) -> Any:
    """`X` of `X | None`; the type itself if it is no union."""
    if not optional(type_):
        return type_
    return next(member for member in get_args(type_) if member is not types.NoneType)


def optional(type_: Any) -> bool:
    """True for `X | None`."""
    return get_origin(type_) in (Union, types.UnionType)


def is_struct(type_: Any) -> typing.TypeGuard[type[Struct]]:
    """True for a Struct class."""
    return isinstance(type_, type) and issubclass(type_, Struct)


def _bounded(base: Any, notes: list[msgspec.Meta]) -> str:
    for note in notes:
        if note.pattern is not None:
            return in_words(note.pattern)
    bounds = {
        name: next((getattr(note, name) for note in notes if getattr(note, name) is not None), None)
        for name in ("ge", "gt", "le", "min_length", "max_length")
    }
    text = describe(base)
    if bounds["max_length"] is not None:
        return f"{text} of {bounds['min_length'] or 0} to {bounds['max_length']} characters"
    most = _number(bounds["le"]) if bounds["le"] is not None else None
    if bounds["gt"] is not None:
        return f"{text} above {_number(bounds['gt'])}" + (f", at most {most}" if most else "")
    if bounds["ge"] is not None:
        least = _number(bounds["ge"])
        return f"{text}, {least} to {most}" if most else f"{text} of at least {least}"
    return text


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)
