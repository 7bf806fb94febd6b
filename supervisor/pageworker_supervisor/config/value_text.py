"""Reads the value of a setting from what an operator typed. Pure."""

import math
import tomllib
from typing import Any

import msgspec

from pageworker_supervisor.contract.type_names import first


def structured(untrusted_text: str) -> tuple[Any, bool]:
    """Parse a JSON or TOML value. The second result is False if the text is neither."""
    try:
        return msgspec.json.decode(untrusted_text), True
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    try:
        return tomllib.loads(f"value = {untrusted_text}")["value"], True
    except (ValueError, RecursionError):  # a TOMLDecodeError, or a number of more than 4300 digits
        return None, False


def value_of(type_: Any, untrusted_text: str) -> Any:
    """The value of a setting of this type: JSON, TOML, or a plain text if the setting is a text.

    `5` is the number, or the text "5" for a setting that is a text. The caller checks the type.
    """
    if not untrusted_text.startswith('"'):
        try:
            return msgspec.convert(untrusted_text, first(type_))
        except (msgspec.ValidationError, TypeError):
            pass
    value, readable = structured(untrusted_text)
    # JSON has no form for an infinite number: it would be stored as null, "no value".
    infinite = isinstance(value, float) and not math.isfinite(value)
    return value if readable and not infinite else untrusted_text
