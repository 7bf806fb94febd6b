"""msgspec's messages become errors that a producer understands."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.job_errors import (
    MAX_SHOWN,
    explain,
    json_hint,
    object_hint,
    shown,
    unreadable,
)

PLAIN: dict[str, Any] = {"job_id": "j", "tenant_id": "acme", "endpoint_module": "shop.product"}


def explained(fields: dict[str, Any]) -> ContractError:
    text = json.dumps(fields).encode()
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(text, type=Job)
    return explain(str(caught.value), text, Job)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (PLAIN | {"priority": "x"}, ("invalid_field", "priority", 'expected one of high, normal, low, got "x"')),
        (PLAIN | {"colour": 1}, ("unknown_field", "colour", "is not a field of a job")),
        (PLAIN | {"files": 1}, ("invalid_field", "files", "expected a list of files")),
        ({"tenant_id": "a", "endpoint_module": "m"}, ("missing_field", "job_id", "is required")),
    ],
)
def test_the_error_names_type_field_and_rule(fields: dict[str, Any], error: tuple[str, str, str]) -> None:
    found = explained(fields)
    assert (found.type, found.field, found.rule) == error


def test_a_misspelt_required_field_is_named() -> None:
    fields = {key: value for key, value in PLAIN.items() if key != "tenant_id"} | {"tenantId": "acme"}
    text = json.dumps(fields).encode()
    found = explain("Object missing required field `tenant_id`", text, Job)
    assert found.hint == "`tenantId` was given instead"


@pytest.mark.parametrize(
    ("text", "kind"), [(b"[1]", "a list"), (b'"x"', "a string"), (b"null", "null"), (b"1", "a number")]
)
def test_a_value_that_is_not_an_object_is_named(text: bytes, kind: str) -> None:
    assert explain("Expected `object`", text, Job).rule == f"expected a JSON object, got {kind}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[object Object]", "JSON.stringify({...})"),
        (b' "{}"', "applied twice"),
        (b" [", "1 to 1000 elements"),
        (b"{'a': 1}", "double quotes"),
    ],
)
def test_the_hint_knows_the_usual_mistakes(text: bytes, words: str) -> None:
    assert words in json_hint(text)
    assert words in unreadable(msgspec.DecodeError("x"), text).hint


def test_endless_nesting_has_its_own_message() -> None:
    assert unreadable(RecursionError(), b"[").rule.startswith("nested too deeply")


def test_a_payload_that_is_a_string_has_its_own_hint() -> None:
    assert "leave out the JSON.stringify" in object_hint("payload", ' {"a": 1}')
    assert object_hint("meta", 7) == 'write `"meta": {…}`'


@given(st.recursive(st.text() | st.integers() | st.none(), st.lists))
def test_a_shown_value_is_short(value: object) -> None:
    assert len(shown(value)) <= MAX_SHOWN + 1
