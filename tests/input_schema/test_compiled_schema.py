"""Payloads against input schemas."""

import time
from typing import Any

import msgspec
import pytest

from pageworker_supervisor.input_schema.compiled_schema import CompiledSchema, SchemaUnusable

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["url"],
    "additionalProperties": False,
    "properties": {
        "url": {"type": "string", "pattern": "^https://"},
        "count": {"type": "integer", "minimum": 1},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}},
    },
}


def told(payload: object, schema: dict[str, Any] = SCHEMA) -> list[str]:
    return [str(mistake) for mistake in CompiledSchema(schema).mistakes(payload)]


def test_what_fits_passes() -> None:
    assert CompiledSchema(SCHEMA).mistakes({"url": "https://x.example", "count": 1, "tags": ["a"]}) == ()


def test_each_mistake_names_its_field_its_rule_and_what_was_found() -> None:
    assert sorted(told({"ulr": "https://x", "count": "5", "tags": ["a", "z"]})) == [
        '`payload.count`: is not of type "integer"; found a text',
        '`payload.tags[1]`: is not one of "a" or "b"',
        "`payload.ulr`: is not a field of this module's input; did you mean `url`?",
        "`payload.url`: is required; `ulr` was given instead",
    ]
    assert told({"url": "ftp://x"}) == ['`payload.url`: does not match "^https://"']


def test_the_near_miss_is_found_through_references() -> None:
    class Input(msgspec.Struct, forbid_unknown_fields=True):
        address: str

    schema = msgspec.json.schema(Input)
    assert "`payload.adress`: is not a field of this module's input; did you mean `address`?" in told(
        {"adress": "x"}, schema
    )


NAMED: dict[str, Any] = {"type": "object", "properties": {"name": {}}, "additionalProperties": False}


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"0": NAMED}},
        {"patternProperties": {"0": NAMED}},
        {"$defs": {"1": NAMED}, "properties": {"0": {"$ref": "#/$defs/1"}}},
    ],
)
def test_the_near_miss_is_found_below_names_that_are_numbers(schema: dict[str, Any]) -> None:
    (mistake,) = told({"0": {"nmae": 1}}, schema)
    assert mistake == "`payload[0].nmae`: is not a field of this module's input; did you mean `name`?"


def test_a_mistake_in_an_embedded_document_is_told_without_a_hint() -> None:
    """The steps to it begin at that document."""
    inner = {"$id": "urn:x", "properties": {"a": NAMED}}
    (mistake,) = told({"b": {"a": {"nmae": 1}}}, {"$defs": {"inner": inner}, "properties": {"b": {"$ref": "urn:x"}}})
    assert mistake == "`payload.b.a.nmae`: is not a field of this module's input"


def test_values_are_not_repeated() -> None:
    for payload in (
        {"url": "secret-value"},
        {"url": 5, "count": "secret-value"},
        {"url": "https://", "tags": ["secret-value"]},
    ):
        assert "secret-value" not in "".join(told(payload))


def test_only_the_first_few_mistakes_are_listed() -> None:
    assert len(told({"url": "https://x", "tags": ["x"] * 5000})) == 5


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "objekt"}, "not valid"),
        ({"properties": {"a": {"pattern": "(?=a)b"}}}, "look-around"),
        ({"properties": {"a": {"pattern": r"(a)\1"}}}, "look-around"),
        ({"properties": {"a": {"pattern": "((a{1000}){1000}){1000}"}}}, "huge"),
        ({"$ref": "https://example.com/schema.json"}, "Retrieval is disabled"),
        ({"$ref": "file:///etc/passwd"}, "Retrieval is disabled"),
        ({"$ref": "#/$defs/none"}, "does not exist"),
        ({"$schema": "urn:none"}, "meta-schema"),
    ],
)
def test_schemas_that_can_not_be_used(schema: dict[str, Any], why: str) -> None:
    with pytest.raises(SchemaUnusable, match=why):
        CompiledSchema(schema)


def test_no_pattern_takes_long() -> None:
    schema = CompiledSchema({"properties": {"a": {"pattern": "^(a+)+$"}, "b": {"pattern": "(x|x)*y"}}})
    begun = time.process_time()  # of all threads, and of no other process
    assert schema.mistakes({"a": "a" * 250_000 + "!", "b": "x" * 1000})
    assert time.process_time() - begun < 2


def test_a_schema_that_refers_to_itself_ends() -> None:
    assert CompiledSchema({"$ref": "#"}).mistakes({}) == ()
    nested: dict[str, Any] = {}
    for _ in range(500):
        nested = {"a": nested}
    assert CompiledSchema({"properties": {"a": {"$ref": "#"}}}).mistakes(nested) == ()
