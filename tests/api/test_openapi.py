"""The OpenAPI document says what the API takes and answers."""

import json
import re
from typing import Any

import pytest
from api.test_endpoint import TABLE
from jsonschema_rs import Draft202012Validator

from pageworker_supervisor.api.openapi import openapi_document

DOCUMENT: dict[str, Any] = json.loads(openapi_document(TABLE, "1.2.3"))
OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]


def schema(reference: str) -> dict[str, Any]:
    """A schema with all others beside it."""
    return {"components": DOCUMENT["components"], "$ref": reference}


def test_every_operation_is_in_it_with_a_name_of_its_own() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    assert {(endpoint.path, endpoint.method.lower()) for endpoint in TABLE} == set(OPERATIONS)
    names = [DOCUMENT["paths"][path][method]["operationId"] for path, method in OPERATIONS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_an_operation_names_its_fields_and_answers(path: str, method: str) -> None:
    operation = DOCUMENT["paths"][path][method]
    in_path = {field["name"] for field in operation["parameters"] if field["in"] == "path"}
    assert in_path == set(re.findall(r"\{(\w+)\}", path))
    assert {"400", "401", "403", "429", "503"} <= set(operation["responses"])
    assert {"200", "201"} & set(operation["responses"])
    assert all(answer["content"] for answer in operation["responses"].values())


def test_usage_is_json_or_comma_separated_values() -> None:
    content = DOCUMENT["paths"]["/v1/usage"]["get"]["responses"]["200"]["content"]
    assert set(content) == {"application/json", "text/csv"}


def test_references_resolve_and_patterns_are_those_of_json_schema() -> None:
    text = json.dumps(DOCUMENT)
    named = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert named <= set(DOCUMENT["components"]["schemas"])
    assert r"\\Z" not in text
    for reference in named:
        Draft202012Validator(schema(f"#/components/schemas/{reference}"))


def test_the_tenant_of_a_job_may_be_left_out() -> None:
    job = DOCUMENT["components"]["schemas"]["Job"]
    assert sorted(job["required"]) == ["endpoint_module", "job_id"]
    assert "tenant_id" in job["properties"]
    assert job["additionalProperties"] is False


@pytest.mark.parametrize("body", [{"job_id": "1"}, {"job_id": "1", "endpoint_module": "a.b", "x": 1}, {"jobs": []}, 7])
def test_its_schema_of_a_body_refuses_what_the_api_refuses(body: object) -> None:
    content = DOCUMENT["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    validator = Draft202012Validator({"components": DOCUMENT["components"], **content})
    assert not validator.is_valid(body)
    assert validator.is_valid({"job_id": "1", "endpoint_module": "a.b"})
    assert validator.is_valid({"jobs": [{"job_id": "1", "endpoint_module": "a.b"}]})
