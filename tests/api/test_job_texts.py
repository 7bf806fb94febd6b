"""Bodies of `POST /v1/jobs`."""

import json
from typing import Any

import pytest
from api.conftest import TOKENS
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.api.job_texts import job_texts
from pageworker_supervisor.api.problem import ApiProblem

ACME, FLEET = TOKENS["pw_a1_secret"], TOKENS["pw_f1_secret"]


def test_the_tenant_is_that_of_the_token() -> None:
    texts = job_texts(b'{"job_id": "1", "payload": {"a": 1.50}}', ACME)
    assert not texts.listed
    (job,) = texts.jobs
    assert json.loads(job.text) == {"job_id": "1", "payload": {"a": 1.5}, "tenant_id": "acme"}
    assert (job.job_id, job.tenant_id, job.problem) == ("1", "acme", None)
    assert json.loads(job_texts(b'{"job_id": "1"}', FLEET).jobs[0].text) == {"job_id": "1"}


def test_another_tenant_is_refused() -> None:
    (job,) = job_texts(b'{"job_id": "1", "tenant_id": "beta"}', ACME).jobs
    assert job.problem is not None
    assert job.problem.document.code == "tenant_mismatch"
    assert job.text == b""
    assert job_texts(b'{"tenant_id": "beta"}', FLEET).jobs[0].problem is None
    (escaped,) = job_texts(rb'{"tenant_id": "b\u0065ta"}', ACME).jobs
    assert escaped.problem is not None


def test_the_last_of_two_tenants_counts_as_it_does_for_a_push() -> None:
    (job,) = job_texts(b'{"tenant_id": "acme", "tenant_id": "beta"}', ACME).jobs
    assert job.problem is not None
    (job,) = job_texts(b'{"tenant_id": "beta", "tenant_id": "acme"}', ACME).jobs
    assert json.loads(job.text) == {"tenant_id": "acme"}
    assert job.text.count(b"tenant_id") == 1


@pytest.mark.parametrize("value", ["7", "null", "[]", '"\\ud83d"'])
def test_a_tenant_that_is_no_text_is_left_to_the_checks_of_a_job(value: str) -> None:
    try:
        (job,) = job_texts(f'{{"tenant_id": {value}}}'.encode(), ACME).jobs
    except ApiProblem as refused:
        assert refused.document.code == "invalid_json"  # noqa: PT017 - no reader of JSON takes half a character
    else:
        assert job.problem is None
        assert b'"acme"' not in job.text


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["jobs", "tenant_id", "a"]), inner),
    max_leaves=8,
)


@given(st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_jobs_of_the_tenant_or_a_problem(body: bytes) -> None:
    try:
        texts = job_texts(body, ACME)
    except ApiProblem as refused:
        assert refused.document.status == 400  # noqa: PT017 - both ends are right
        return
    for job in texts.jobs:
        assert (job.problem is None) == bool(job.text)
        if job.text and isinstance(named := tenant_in(job.text), str):
            assert named == "acme"


def tenant_in(text: bytes) -> Any:
    return json.loads(text)["tenant_id"]
