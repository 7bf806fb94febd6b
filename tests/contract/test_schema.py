"""The schema files match the Structs."""

import datetime as dt
import json
from typing import Any

import jsonschema_rs
import pytest

from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.job import parse_job
from pageworker_supervisor.contract.result import AttemptRecord, Result, ResultError, encode_result
from pageworker_supervisor.contract.schema import SHIPPED, render, shipped

PLAIN: dict[str, Any] = {"job_id": "j-1", "tenant_id": "acme", "endpoint_module": "shop.product"}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_file_is_current(name: str) -> None:
    assert shipped(name) == render(SHIPPED[name]), "run python -m pageworker_supervisor.contract.schema --write"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"payload": {"a": 1}, "meta": {}},
        {"payload": []},
        {"priority": "urgent"},
        {"max_retries": 21},
        {"max_retries": None},
        {"tenant_id": "Acme"},
        {"surplus": 1},
        {"endpoint_module": "a.b@1.0.0"},
        {"endpoint_module": "a.b@1.0"},
    ],
)
def test_the_schema_and_the_parser_agree(fields: dict[str, Any]) -> None:
    validator = jsonschema_rs.validator_for(json.loads(shipped("job.schema.json")))
    value = PLAIN | fields
    try:
        parse_job(json.dumps(value).encode())
        parsed = True
    except ContractError:
        parsed = False
    assert validator.is_valid(value) is parsed


def test_a_result_fits_its_schema() -> None:
    result = Result(
        job_id="j",
        tenant_id="t",
        status="failed",
        error=ResultError(type="x", message="y", retryable=False),
        attempts=(
            AttemptRecord(
                attempt=1,
                started_at=dt.datetime.now(dt.UTC),
                duration_seconds=0.1,
                outcome="failed",
                worker_id="w",
            ),
        ),
    )
    value = json.loads(encode_result(result))
    jsonschema_rs.validator_for(json.loads(shipped("result.schema.json"))).validate(value)
    assert value["data"] is None
    assert value["meta"] == {}
