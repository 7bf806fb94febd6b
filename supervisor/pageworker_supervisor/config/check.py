"""Compares untrusted values with the types of the settings, key by key, to find every mistake in one pass."""

import pathlib
from collections.abc import Callable
from typing import Any, get_args, get_origin

import msgspec
from msgspec import Struct

from pageworker_sandbox.wire.page_options import HIDDEN
from pageworker_supervisor.config.errors import ConfigProblem
from pageworker_supervisor.config.not_yet import EXPECTED, instead_of
from pageworker_supervisor.config.redact import may_contain_secret, redact_url
from pageworker_supervisor.config.toml_lines import Path
from pageworker_supervisor.contract.near_name import near_name
from pageworker_supervisor.contract.type_names import describe, first, is_struct

MAX_SHOWN = 60
MOST_NUMBER = 2**53 - 1
"""Above it the functions in Redis lose digits: they count in floating point."""
MOST_SECONDS = 10_000_000_000
"""Some centuries. In milliseconds, and added to the time of day, it still fits everywhere."""

SourceOf = Callable[[Path], str]


class Checker:
    """Checks one source, a file or one environment variable. Keeps valid values and collects `problems`.

    `root` is the Struct of the whole configuration: hints name settings of all its sections. `lax`: the values are
    texts of environment variables, so "5" is a number.
    """

    def __init__(self, root: type[Struct], source_of: SourceOf, *, lax: bool = False) -> None:
        self.problems: list[ConfigProblem] = []
        self._root = root
        self._source_of = source_of
        self._lax = lax

    def table(self, type_: type[Struct], untrusted: dict[str, Any], at: Path = ()) -> dict[str, Any]:
        """The valid values of a section."""
        types = field_types(type_)
        kept: dict[str, Any] = {}
        for key, value in untrusted.items():
            path = (*at, key)
            if key not in types:
                self.unknown(path, type_)
                continue
            valid = self.value(types[key], value, path)
            if valid is not msgspec.UNSET:
                kept[key] = valid
        return kept

    def value(self, type_: Any, untrusted: Any, at: Path) -> Any:
        """The value as plain data if it has the right type, else UNSET with a new entry in `problems`."""
        inner = first(type_)
        if is_struct(inner) and isinstance(untrusted, dict):
            return self.table(inner, untrusted, at)
        if get_origin(inner) is dict and isinstance(untrusted, dict):
            return self._entries(get_args(inner)[1], untrusted, at)
        if is_struct(inner):
            self.wrong(at, untrusted, inner)
            return msgspec.UNSET
        try:
            valid = msgspec.convert(untrusted, type_, strict=not self._lax, dec_hook=decode_path)
        except msgspec.ValidationError as error:
            self.wrong(at, untrusted, type_, _hint(str(error), type_, untrusted))
            return msgspec.UNSET
        if not _is_in_bounds(valid, most := MOST_SECONDS if at[-1].endswith("_seconds") else MOST_NUMBER):
            self.wrong(at, untrusted, type_, f"at most {most}")
            return msgspec.UNSET
        return msgspec.to_builtins(valid, enc_hook=str)

    def _entries(self, type_: Any, untrusted: dict[str, Any], at: Path) -> dict[str, Any]:
        kept = {key: self.value(type_, value, (*at, key)) for key, value in untrusted.items()}
        return {key: value for key, value in kept.items() if value is not msgspec.UNSET}

    def unknown(self, path: Path, section: type[Struct]) -> None:
        """Add the problem of a key that is not a setting."""
        self.problems.append(unknown_setting(self._source_of(path), path, section, self._root))

    def wrong(self, path: Path, found: Any, type_: Any, hint: str = "") -> None:
        """Add the problem of a value that has not this type."""
        # Options of a profile may hold a password, at any place of a broken text.
        secret = may_contain_secret(type_) or path[:2] == ("profiles", "page")
        shown = HIDDEN if secret else show(found)
        self.problems.append(ConfigProblem(self._source_of(path), ".".join(path), shown, describe(type_), hint))


def _is_in_bounds(valid: Any, most: int) -> bool:
    """False for numbers that are too large, infinite or no number, also in a list."""
    if isinstance(valid, tuple):
        return all(_is_in_bounds(each, most) for each in valid)
    # A comparison with NaN is always false.
    return not isinstance(valid, int | float) or -most <= valid <= most


def decode_path(type_: type, value: object) -> object:
    """Decode hook for msgspec, which does not know Path. Raises TypeError."""
    if type_ is pathlib.Path and isinstance(value, str) and value:
        return pathlib.Path(value).expanduser()
    raise TypeError(f"expected a {type_.__name__}")


def field_types(type_: type[Struct]) -> dict[str, Any]:
    """Names and annotated types of the fields of a section."""
    return {field.name: field.type for field in msgspec.structs.fields(type_)}


def unknown_setting(source: str, path: Path, section: type[Struct], root: type[Struct]) -> ConfigProblem:
    """The problem of a key that is not a setting, with the setting that was probably meant."""
    instead = instead_of(path)
    if instead is not None:
        return ConfigProblem(source, ".".join(path), "", EXPECTED, instead)
    return ConfigProblem(source, ".".join(path), "", "the name of a setting", near_miss(path, section, root))


def near_miss(path: Path, section: type[Struct], root: type[Struct]) -> str:
    """A hint that names the setting that was probably meant, or an empty text."""
    here, key = path[:-1], path[-1]
    near = near_name(key, field_types(section))
    elsewhere = [
        f"{name}.{key}" for name, type_ in field_types(root).items() if is_struct(type_) and key in field_types(type_)
    ]
    # A setting without its section is meant more often than a section with another name.
    if near and (here or not elsewhere):
        return f"did you mean `{'.'.join((*here, near))}`?"
    return f"did you mean `{'` or `'.join(elsewhere)}`?" if elsewhere else ""


def show(found: Any) -> str:
    """A wrong value for a message: at most MAX_SHOWN characters, without passwords."""
    try:
        text = redact_url(found) if isinstance(found, str) else str(msgspec.to_builtins(found, enc_hook=str))
    except (ValueError, RecursionError):  # a number of more than 4300 digits, or many lists in each other
        return "a value that is too large to show"
    if not isinstance(found, str) and "://" in text:
        return HIDDEN
    text = f'"{text}"' if isinstance(found, str) else text
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def _hint(message: str, type_: Any, found: Any) -> str:
    if isinstance(found, str) and get_origin(first(type_)) is tuple:
        return f'write a list: ["{redact_url(found)[:40]}"]'
    where = message.partition(" - at `$")[2].strip("`")
    return f"element {where}" if where else ""
