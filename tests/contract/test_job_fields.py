"""The fields of a job's log lines."""

import datetime as dt

import pytest

from pageworker_supervisor.contract.job import Job, JobRef
from pageworker_supervisor.contract.job_fields import fields_of_job, fields_of_result
from pageworker_supervisor.contract.result import AttemptRecord, Result, encode_result

REF = JobRef("acme", "j1")
NAME = {"job": "acme/j1", "job_id": "j1", "tenant_id": "acme"}


def test_a_job_names_itself_and_its_module() -> None:
    job = Job(job_id="j1", tenant_id="acme", endpoint_module="shop.product@1.2.3")
    assert fields_of_job(job, "ab" * 16) == {**NAME, "trace_id": "ab" * 16, "module": "shop.product"}


def test_a_result_tells_what_ran_the_job_last(attempts: tuple[AttemptRecord, ...]) -> None:
    result = Result(
        job_id="j1",
        tenant_id="acme",
        status="failed",
        endpoint_module="shop.product@1.2.3",
        trace_id="ab" * 16,
        module_version="1.2.3",
        runner_id="w1-r7",
        attempts=attempts,
    )
    assert fields_of_result(REF, encode_result(result)) == {
        **NAME,
        "trace_id": "ab" * 16,
        "module": "shop.product",
        "module_version": "1.2.3",
        "runner_id": "w1-r7",
        "proxy": "german/proxy:3128",
    }


@pytest.mark.parametrize(
    "result", [None, b"no json", b"[]", b'{"trace_id": 7}', b'{"data": ' + b"[" * 2000 + b"]" * 2000 + b"}"]
)
def test_a_result_that_cannot_be_read_leaves_the_name(result: bytes | None) -> None:
    fields = fields_of_result(REF, result)
    assert {name: value for name, value in fields.items() if value is not None} == NAME


@pytest.fixture
def attempts() -> tuple[AttemptRecord, ...]:
    first_one, last = (
        AttemptRecord(
            attempt=number,
            started_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
            duration_seconds=1.0,
            outcome="failed",
            worker_id="w1",
            proxy=proxy,
        )
        for number, proxy in ((1, "german/other:3128"), (2, "german/proxy:3128"))
    )
    return first_one, last
