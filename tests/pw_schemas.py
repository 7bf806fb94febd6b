"""Input schemas of a hostile author: small texts whose compilation or check needs time or memory without end."""

from typing import Any


def nested(levels: int) -> dict[str, Any]:
    """A payload so deep."""
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


def doubling(levels: int) -> dict[str, Any]:
    """Each level refers twice to the next one. 60 levels need years."""
    definitions: dict[str, Any] = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$defs": {**definitions, f"d{levels}": {"type": "object"}}, "$ref": "#/$defs/d0"}


BRANCH = {"properties": {"a": {"$ref": "#"}}, "required": ["zz"]}
DOUBLES: tuple[dict[str, Any], dict[str, Any]] = (doubling(60), {})
"""Processor time without end, and no memory."""
MULTIPLIES: tuple[dict[str, Any], dict[str, Any]] = ({"anyOf": [BRANCH, BRANCH]}, nested(24))
"""The mistakes need gigabytes."""

HOSTILE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "references that double": DOUBLES,
    "branches that multiply": MULTIPLIES,
    "a large enum": (
        {"properties": {"a": {"items": {"enum": [f"{n:x}" for n in range(60_000)]}}}},
        {"a": ["f" * 8 + "g"] * 20_000},
    ),
    "fractions": ({"properties": {"a": {"items": {"multipleOf": 1e-300}}}}, {"a": [1e300] * 40_000}),
    "a long chain of references": (
        {
            "$defs": {**{f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(20_000)}, "d20000": {}},
            "$ref": "#/$defs/d0",
        },
        {},
    ),
    "many patterns": (
        {"properties": {f"p{n}": {"pattern": rf"(\w{{60}}){{4}}x{n}"} for n in range(8000)}},
        {},
    ),
}
"""Schema and payload by name. Each fits into a bundle and a job, and needs more than a check may use."""
