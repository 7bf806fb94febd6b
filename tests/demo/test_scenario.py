"""The scenario: enough jobs, of every kind of end, and each one can be pushed as it is."""

import json

import pytest

from pageworker_demo.scenario import NO_JOB, TENANTS, ScenarioJob, scenario
from pageworker_supervisor.contract.job import parse_job

CALLBACKS = "http://127.0.0.1:1"
JOBS = scenario(CALLBACKS)


def test_it_has_thirty_jobs_of_three_tenants_and_every_kind_of_end() -> None:
    assert len(JOBS) >= 30
    assert len({job.ref for job in JOBS}) == len(JOBS)
    assert {job.fields["tenant_id"] for job in JOBS} == set(TENANTS)
    ends = {job.expected.status for job in JOBS}
    assert ends == {"succeeded", "failed", "blocked", "timed_out", "rejected", "expired"}


def test_tenants_use_the_same_ids() -> None:
    ids = [job.ref.job_id for job in JOBS]
    assert len(set(ids)) < len(ids)


def test_a_job_waits_only_for_an_earlier_one_of_its_tenant() -> None:
    for position, job in enumerate(JOBS):
        if job.after is not None:
            assert job.after in {earlier.ref for earlier in JOBS[:position]}
            assert job.after.tenant_id == job.ref.tenant_id


@pytest.mark.parametrize("job", JOBS, ids=lambda job: str(job.ref))
def test_the_pushed_text_is_the_job_and_refused_only_where_that_is_expected(job: ScenarioJob) -> None:
    assert json.loads(job.text) == job.fields
    if job.expected.error_type == "unknown_field":
        assert "priorty" in job.fields
    else:
        assert str(parse_job(job.text.encode()).ref) == str(job.ref)


def test_what_n8n_pushes_without_json_stringify_is_no_json() -> None:
    with pytest.raises(json.JSONDecodeError):
        json.loads(NO_JOB)
