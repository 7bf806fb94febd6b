"""Turns what a handler returned into data that JSON holds, or names the field that JSON cannot hold. Pure.

docs/sdk.md has the table of what becomes what.
"""

import math
from typing import Any

import msgspec

from pageworker.well_formed import well_formed

INTEGERS = range(-(2**63), 2**64)
"""What MessagePack holds, and with it the wire."""
NOT_PLAIN = (TypeError, ValueError, OverflowError, RecursionError)
"""What msgspec raises for a value that it cannot convert."""


class NotPlain(ValueError):
    """A part of the value that JSON cannot hold. The message names it: `data.offers[3].price is NaN`."""


def plain(value: object) -> Any:
    """`value` as dicts, lists, text, numbers, true, false and None. Raises NotPlain; whatever foreign fields raise."""
    try:
        converted = msgspec.to_builtins(value, str_keys=True)
    except NOT_PLAIN as error:
        raise NotPlain(_what_is_wrong(value, "data") or f"data cannot be converted: {error}") from error
    return _checked(converted, "data")


def _checked(value: Any, path: str) -> Any:
    """The value with whole characters only. Raises NotPlain."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise NotPlain(f"{path} is {value}, which JSON has no number for: return None, or a text")
    if isinstance(value, int) and value not in INTEGERS:
        raise NotPlain(f"{path} is an integer of more than 64 bits: return it as a text")
    if isinstance(value, dict):
        return {well_formed(key): _checked(inner, _below(path, key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_checked(inner, f"{path}[{index}]") for index, inner in enumerate(value)]
    return value


def _what_is_wrong(value: object, path: str) -> str | None:
    """The innermost part of dicts and lists that cannot be converted."""
    try:
        msgspec.to_builtins(value, str_keys=True)
    except RecursionError:
        return f"{path} is nested too deeply, or contains itself"
    except NOT_PLAIN:
        if isinstance(value, dict):
            return next(filter(None, (_entry(path, key, inner) for key, inner in value.items())), None)
        if isinstance(value, list | tuple):
            parts = (_what_is_wrong(inner, f"{path}[{index}]") for index, inner in enumerate(value))
            return next(filter(None, parts), None)
        return f"{path} is of type {type(value).__name__}, which JSON has nothing for: return its parts, or a text"
    return None


def _entry(path: str, key: object, value: object) -> str | None:
    try:
        msgspec.to_builtins({key: None}, str_keys=True)
    except NOT_PLAIN:
        return f"{path} has a key of type {type(key).__name__}: keys must be texts"
    return _what_is_wrong(value, _below(path, str(key)))


def _below(path: str, key: str) -> str:
    return f"{path}.{key[:60]}"
