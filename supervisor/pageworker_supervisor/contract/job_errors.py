"""Explains why a text is not a valid job: field, what was expected, what was found, and how to fix it."""

import re
from difflib import get_close_matches
from typing import Any, get_origin

import msgspec
from msgspec import Struct

from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.job_files import files_error
from pageworker_supervisor.contract.near_name import near_name
from pageworker_supervisor.contract.type_names import describe, first, optional

MAX_SHOWN = 60
MAX_TEXT_DEPTH = 200
"""Levels of nesting in a whole text. Leaves most of Python's recursion limit (1000) to the call stack."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for a text that is not JSON, or that is nested too deeply."""


def explain(message: str, untrusted_text: bytes, job: type[Struct]) -> ContractError:
    """Turn the one-line message of msgspec into an error that names the field."""
    try:
        value = msgspec.json.decode(untrusted_text)
    except UNREADABLE as error:
        # The decoder found a wrong type before it reached the place where the JSON is broken.
        return unreadable(error, untrusted_text)
    if not isinstance(value, dict):
        return ContractError(
            "invalid_json", "", f"expected a JSON object, got {_kind(value)}", json_hint(untrusted_text)
        )
    rule, _, path = message.partition(" - at `$")
    name = path.strip("`.").partition(".")[0].partition("[")[0]
    types = {field.name: field.type for field in msgspec.structs.fields(job)}
    if name == "files" and name in types:
        return files_error(value.get(name))
    if unknown := re.search(r"unknown field `(.*)`", rule, re.DOTALL):
        return _unknown(unknown[1], list(types))
    if missing := re.search(r"missing required field `(.*)`", rule):
        return _missing(missing[1], [key for key in value if key not in types])
    if name not in types:
        return ContractError("invalid_json", "", rule[:1].lower() + rule[1:])
    return _invalid(name, types[name], value.get(name))


def unreadable(error: Exception, untrusted_text: bytes) -> ContractError:
    """The error for a text that is not JSON."""
    if isinstance(error, RecursionError):
        return nested_too_deeply()
    return ContractError("invalid_json", "", f"not a JSON object: {error}", json_hint(untrusted_text))


def nested_too_deeply(field: str = "") -> ContractError:
    """The error for a text that is nested more deeply than every later step can handle."""
    return ContractError("invalid_json", field, f"nested too deeply, a job has at most {MAX_TEXT_DEPTH} levels")


def json_hint(untrusted_text: bytes) -> str:
    """How to fix the usual causes of a text that is not a JSON object."""
    if b"[object Object]" in untrusted_text:
        return "in n8n, write the expression {{ JSON.stringify({...}) }}"
    if untrusted_text.lstrip()[:1] == b'"':
        return "this is a string that contains JSON: JSON.stringify was applied twice"
    if untrusted_text.lstrip()[:1] == b"[":
        return "a list of jobs has 1 to 1000 elements, each a JSON object"
    return "push one JSON object, with double quotes and without a trailing comma"


def object_hint(name: str, found: Any) -> str:
    """How to fix the usual causes of a `payload` or `meta` that is not an object."""
    if isinstance(found, str) and found.lstrip().startswith("{"):
        return "this is a string that contains JSON: leave out the JSON.stringify around it"
    return f'write `"{name}": {{…}}`'


def _unknown(name: str, known: list[str]) -> ContractError:
    near = near_name(_snake(name), known)
    return ContractError(
        "unknown_field",
        name[:MAX_SHOWN] or '""',
        "is not a field of a job",
        f"did you mean `{near}`?" if near else "",
    )


def _missing(name: str, unknown: list[str]) -> ContractError:
    # A misspelt required field is reported as missing. The hint names the misspelt one.
    near = get_close_matches(name, [_snake(key) for key in unknown], n=1, cutoff=0.6)
    given = next((key for key in unknown if near and _snake(key) == near[0]), None)
    return ContractError("missing_field", name, "is required", f"`{given}` was given instead" if given else "")


def _invalid(name: str, type_: Any, found: Any) -> ContractError:
    return ContractError("invalid_field", name, f"expected {describe(type_)}, got {shown(found)}", _hint(type_, found))


def _hint(type_: Any, found: Any) -> str:
    base = _base(type_)
    if found in ("", None):
        return "leave it out, or write null" if optional(type_) else "leave it out to get the default"
    if isinstance(found, str):
        if base in (int, float) and re.fullmatch(r"\s*-?\d+(\.\d+)?\s*", found):
            return "write the number without quotes"
        if "T" in found and not re.search(r"(Z|[+-]\d\d:\d\d)$", found) and "instant" in describe(type_):
            return "add Z, or an offset such as +02:00"
        if found != found.lower() and re.search(r"\[a-z0-9-\]", _pattern(type_)):
            return "use lower case only"
        if found != found.strip():
            return "remove the white space around it"
        if "://" in found and "host name" in describe(type_):
            return "write only the host"
    return "write it in quotes" if base is str and isinstance(found, int | float) else ""


def shown(found: Any) -> str:
    """A value as JSON, cut to MAX_SHOWN characters."""
    try:
        text = msgspec.json.encode(found).decode()
    except RecursionError:
        return "a value that is nested too deeply"
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a string", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def _base(type_: Any) -> Any:
    inner = first(type_)
    return inner.__origin__ if hasattr(inner, "__metadata__") else get_origin(inner) or inner


def _pattern(type_: Any) -> str:
    notes = getattr(first(type_), "__metadata__", ())
    return next((note.pattern for note in notes if getattr(note, "pattern", None)), "")


def _snake(name: str) -> str:
    """`jobId` and `job-id` as `job_id`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").replace(" ", "_").lower()
