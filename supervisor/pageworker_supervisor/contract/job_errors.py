"""What is wrong with a text that is no valid job: the field, what was expected, what came, the near miss."""

import re
from difflib import get_close_matches
from typing import Any, get_origin

import msgspec
from msgspec import Struct

from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.type_names import describe, first, optional

MAX_SHOWN = 60

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for a text that is no JSON, or one that is nested without end."""


def explain(message: str, untrusted_text: bytes, job: type[Struct]) -> ContractError:
    """msgspec's one-line message and the text it is about, as an error that names the field."""
    try:
        value = msgspec.json.decode(untrusted_text)
    except UNREADABLE as error:
        # The decoder met the wrong type before it came to the place where the text breaks.
        return unreadable(error, untrusted_text)
    if not isinstance(value, dict):
        return ContractError(
            "invalid_json", "", f"expected a JSON object, got {_kind(value)}", json_hint(untrusted_text)
        )
    rule, _, path = message.partition(" - at `$")
    name = path.strip("`.").partition(".")[0].partition("[")[0]
    types = {field.name: field.type for field in msgspec.structs.fields(job)}
    if unknown := re.search(r"unknown field `(.*)`", rule, re.DOTALL):
        return _unknown(unknown[1], list(types))
    if missing := re.search(r"missing required field `(.*)`", rule):
        return _missing(missing[1], [key for key in value if key not in types])
    if name not in types:
        return ContractError("invalid_json", "", rule[:1].lower() + rule[1:])
    return _invalid(name, types[name], value.get(name))


def unreadable(error: Exception, untrusted_text: bytes) -> ContractError:
    """For a text that is no JSON at all."""
    if isinstance(error, RecursionError):
        return ContractError("invalid_json", "", "nested too deeply")
    return ContractError("invalid_json", "", f"not a JSON object: {error}", json_hint(untrusted_text))


def json_hint(untrusted_text: bytes) -> str:
    """How texts that are no JSON objects usually come about."""
    if b"[object Object]" in untrusted_text:
        return "an n8n expression must be {{ JSON.stringify({...}) }}"
    if untrusted_text.lstrip()[:1] == b'"':
        return "it is a string that holds JSON: JSON.stringify was applied twice"
    if untrusted_text.lstrip()[:1] == b"[":
        return "push one JSON object a list element"
    return "push one JSON object, with double quotes and without a comma at its end"


def object_hint(name: str, found: Any) -> str:
    """Why `payload` or `meta` is usually no object."""
    if isinstance(found, str) and found.lstrip().startswith("{"):
        return "it is a string that holds JSON: leave out the JSON.stringify around it"
    return f'write `"{name}": {{…}}`'


def _unknown(name: str, known: list[str]) -> ContractError:
    near = get_close_matches(_snake(name), known, n=1, cutoff=0.6)
    return ContractError(
        "unknown_field",
        name[:MAX_SHOWN] or '""',
        "is not a field of a job",
        f"did you mean `{near[0]}`?" if near else "",
    )


def _missing(name: str, strangers: list[str]) -> ContractError:
    # A misspelt required field shows up as missing first; the near miss is the useful thing to say.
    near = get_close_matches(name, [_snake(key) for key in strangers], n=1, cutoff=0.6)
    given = next((key for key in strangers if near and _snake(key) == near[0]), None)
    return ContractError("missing_field", name, "is required", f"`{given}` was given instead" if given else "")


def _invalid(name: str, type_: Any, found: Any) -> ContractError:
    return ContractError("invalid_field", name, f"expected {describe(type_)}, got {shown(found)}", _hint(type_, found))


def _hint(type_: Any, found: Any) -> str:
    base = _base(type_)
    if found in ("", None):
        return "leave it out, or write null" if optional(type_) else "leave it out for the default"
    if isinstance(found, str):
        if base in (int, float) and re.fullmatch(r"\s*-?\d+(\.\d+)?\s*", found):
            return "write the number without quotes"
        if "T" in found and not re.search(r"(Z|[+-]\d\d:\d\d)$", found) and "instant" in describe(type_):
            return "add Z, or an offset such as +02:00"
        if found != found.lower() and re.search(r"\[a-z0-9-\]", _pattern(type_)):
            return "lower case only"
        if found != found.strip():
            return "there is white space around it"
        if "://" in found and "host name" in describe(type_):
            return "only the host"
    return "write it in quotes" if base is str and isinstance(found, int | float) else ""


def shown(found: Any) -> str:
    """A value as it was pushed, cut short."""
    text = msgspec.json.encode(found).decode()
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
