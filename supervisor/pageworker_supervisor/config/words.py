"""Types of settings in words, for messages and for the reference."""

import types
import typing
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import Struct

from pageworker_supervisor.contract.words import in_words, speak

BIND = speak(r"^(\[[0-9a-fA-F:]+\]|[0-9A-Za-z.-]+):\d{1,5}$", "host:port, e.g. 127.0.0.1:9470")


def describe(type_: Any) -> str:
    """`Annotated[int, Meta(ge=1, le=64)]` → `a whole number, 1 to 64`."""
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
        return "a table of tables" if is_struct(inner) else f"a table, each value {describe(inner)}"
    return "a table" if is_struct(type_) else _PLAIN[type_]


def first(type_: Any) -> Any:
    """The one member of `X | None` that is not None; the type itself where it is no union."""
    if get_origin(type_) not in (Union, types.UnionType):
        return type_
    return next(member for member in get_args(type_) if member is not types.NoneType)


def is_struct(type_: Any) -> typing.TypeGuard[type[Struct]]:
    """True for a section."""
    return isinstance(type_, type) and issubclass(type_, Struct)


_PLAIN: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    Path: "a path",
}


def _bounded(base: Any, notes: list[msgspec.Meta]) -> str:
    for note in notes:
        if note.pattern is not None:
            return in_words(note.pattern)
    lowest = next((note.ge for note in notes if note.ge is not None), None)
    above = next((note.gt for note in notes if note.gt is not None), None)
    highest = next((note.le for note in notes if note.le is not None), None)
    text = describe(base)
    if above is not None:
        return f"{text} above {above:g}" + (f", at most {highest:g}" if highest is not None else "")
    if lowest is not None and highest is not None:
        return f"{text}, {lowest} to {highest}"
    return f"{text} of at least {lowest}" if lowest is not None else text
