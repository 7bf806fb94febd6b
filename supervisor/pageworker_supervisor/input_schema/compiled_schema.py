"""A compiled schema of a module. A payload must match its input schema before the job gets a page, and what the handler
returns must match its output schema.

Patterns are matched in time linear in the length of the text. References to other documents are not followed. Still a
small schema can take time and memory without end: references and `anyOf` multiply at each level of the payload, and
each value is compared with a whole `enum`. So a worker uses this file only in a schema checker, which has limits.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from typing import Any

import jsonschema_rs

from pageworker_supervisor.input_schema.messages import PayloadMistake, SchemaKind

MAX_MISTAKES = 5
MAX_SHOWN = 200
ROOTS: dict[SchemaKind, str] = {"input": "payload", "output": "data"}
"""What the path of a field begins with."""
_VALUE = "the value"
_PATTERNS = jsonschema_rs.RegexOptions(size_limit=4 * 1024 * 1024, dfa_size_limit=8 * 1024 * 1024)
_KINDS = {str: "a text", bool: "true or false", int: "a whole number", float: "a number", dict: "an object"}


class SchemaUnusable(Exception):
    """The JSON Schema cannot be compiled."""


class CompiledSchema:
    """Checks payloads, or the data of results. Creating it raises SchemaUnusable."""

    def __init__(self, schema: dict[str, Any], kind: SchemaKind = "input") -> None:
        self._schema = schema
        self._kind = kind
        try:
            self._validator = jsonschema_rs.validator_for(
                schema, pattern_options=_PATTERNS, offline=True, validate_formats=True, mask=_VALUE
            )
        except (ValueError, TypeError, jsonschema_rs.ReferencingError) as error:
            reason = str(error).partition("\n")[0]
            if "regex" in reason:
                reason = "a `pattern` cannot be used: look-around, back references and huge repeats are not supported"
            raise SchemaUnusable(reason) from error

    def mistakes(self, payload: Any) -> tuple[PayloadMistake, ...]:
        """The first few mistakes; none if the value matches. They never contain its values."""
        if self._validator.is_valid(payload):
            return ()
        errors = islice(self._validator.iter_errors(payload), MAX_MISTAKES)
        return tuple(_explain(error, self._schema, self._kind) for error in errors)


def _explain(error: jsonschema_rs.ValidationError, schema: dict[str, Any], kind: SchemaKind) -> PayloadMistake:
    facts = error.kind.as_dict()
    field = _path(ROOTS[kind], error.instance_path)
    here = error.instance
    match error.kind.name:
        case "required":
            wanted = str(facts["property"])
            near = _near(wanted, here)
            hint = f"{near} was given instead" if near else ""
            return PayloadMistake(f"{field}.{_short(wanted)}", "is required", hint)
        case "additionalProperties" | "unevaluatedProperties":
            name = str(facts["unexpected"][0])
            known = _at(schema, error.schema_path[:-1]).get("properties")
            hint = _near(name, known)
            hint = f"did you mean {hint}?" if hint else ""
            return PayloadMistake(f"{field}.{_short(name)}", f"is not a field of this module's {kind}", hint)
        case "type":
            found = _KINDS.get(type(here), "a list" if isinstance(here, list) else "null")
            return PayloadMistake(field, _short(error.message.removeprefix(_VALUE + " ")), f"found {found}")
    return PayloadMistake(field, _short(error.message.removeprefix(_VALUE + " ")))


def _path(root: str, steps: Iterable[str | int]) -> str:
    return _short(root + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps))


def _at(schema: Any, steps: Iterable[str | int]) -> dict[str, Any]:
    """The part of a schema that caused an error. Empty if the steps lead nowhere.

    They may begin at an embedded document. A numeric step is an index or a key: jsonschema_rs writes the key "0" as 0.
    """
    try:
        for step in steps:
            schema = schema[str(step) if isinstance(schema, dict) else step]
    except (KeyError, IndexError, TypeError):
        return {}
    return schema if isinstance(schema, dict) else {}


def _near(wanted: str, names: object) -> str:
    near = get_close_matches(wanted, names if isinstance(names, dict) else {}, n=1, cutoff=0.6)
    return f"`{_short(near[0])}`" if near else ""


def _short(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
