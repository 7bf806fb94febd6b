"""The body of a request that opens a batch."""

import json

import pytest

from pageworker_supervisor.api.batch_texts import batch_texts
from pageworker_supervisor.api.problem import ApiProblem


def texts(**fields: object) -> bytes:
    return json.dumps({"batch_id": "b", **fields}).encode()


def test_each_job_gets_tenant_and_batch() -> None:
    found = batch_texts(texts(size=2, jobs=[{"job_id": "1"}, {"job_id": "2", "batch_id": "b"}, 7]), "acme")
    assert (found.spec.batch_id, found.spec.size) == ("b", 2)
    assert [json.loads(job.text) for job in found.jobs[:2]] == [
        {"job_id": "1", "tenant_id": "acme", "batch_id": "b"},
        {"job_id": "2", "tenant_id": "acme", "batch_id": "b"},
    ]
    assert found.jobs[2].problem is not None
    assert not batch_texts(texts(), "acme").jobs


def test_a_job_of_another_batch_or_tenant_is_refused_alone() -> None:
    found = batch_texts(texts(jobs=[{"job_id": "1", "batch_id": "c"}, {"job_id": "2", "tenant_id": "beta"}]), "acme")
    problems = [job.problem for job in found.jobs]
    assert [problem and problem.document.field for problem in problems] == ["batch_id", "tenant_id"]


@pytest.mark.parametrize(
    ("body", "code"), [(b"[]", "invalid_json"), (texts(jobs=7), "invalid_request"), (texts(size=-1), "invalid_field")]
)
def test_another_body_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(ApiProblem) as refused:
        batch_texts(body, "acme")
    assert refused.value.document.code == code
