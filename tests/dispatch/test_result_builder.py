"""Results of accepted jobs: what each ending says, and what an attempt adds."""

import datetime as dt
import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.contract.job import Job, JobRef, parse_job
from pageworker_supervisor.dispatch.outcome import Outcome
from pageworker_supervisor.dispatch.result_builder import (
    attempt_of,
    build_result,
    cancelled_at_its_end,
    end_without_running,
    lost_attempt,
    trace_of,
    unbegun,
)
from pageworker_supervisor.dispatch.retry_policy import EndJob
from pageworker_supervisor.queue.claim import Ending, Lease

NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
JOB = Job(job_id="j", tenant_id="acme", endpoint_module="shop.product", meta=msgspec.Raw(b'{"order":7}'))
OUTCOME = Outcome(
    outcome="succeeded",
    runner_id="w1.3",
    started_at=NOW,
    admitted_seconds=0.25,
    ran_seconds=1.5,
    data=msgspec.Raw(b'{"price":9}'),
)


def lease(**changes: Any) -> Lease:
    found = Lease(
        ref=JobRef("acme", "j"),
        profile_id=None,
        shard=0,
        token="t",
        body=b"{}",
        attempt=2,
        crashes=3,
        exclusive=False,
        profile_fence=None,
        ending=None,
        queued_seconds=2.0,
        total_seconds=4.0,
        attempts=(msgspec.json.encode(lost_attempt(LOST, "w0", None, NOW, 0.5)),) if changes.pop("past", False) else (),
        priority="normal",
    )
    return msgspec.structs.replace(found, **changes)


LOST = Lease(
    ref=JobRef("acme", "j"),
    profile_id=None,
    shard=0,
    token="t",
    body=b"{}",
    attempt=1,
    crashes=0,
    exclusive=False,
    profile_fence=None,
    ending=None,
    queued_seconds=0.0,
    total_seconds=0.0,
    attempts=(),
    priority="normal",
)


def test_a_success_has_its_data_its_attempts_and_its_times() -> None:
    result = json.loads(build_result(JOB, lease(past=True), EndJob("succeeded"), "w1", "1.2.3", OUTCOME))
    assert (result["status"], result["data"], result["error"], result["meta"]) == (
        "succeeded",
        {"price": 9},
        None,
        {"order": 7},
    )
    assert [(one["attempt"], one["outcome"], one["worker_id"]) for one in result["attempts"]] == [
        (1, "lost", "w0"),
        (2, "succeeded", "w1"),
    ]
    assert (result["module_version"], result["runner_id"]) == ("1.2.3", "w1.3")
    assert result["timing"] == {"queued": 2.0, "admitted": 0.25, "ran": 1.5, "total": 5.75}


def test_a_job_that_did_not_succeed_has_no_data() -> None:
    result = json.loads(build_result(JOB, lease(), EndJob("cancelled"), "w1", None, OUTCOME))
    assert (result["status"], result["data"]) == ("cancelled", None)


def test_a_job_that_ended_without_an_attempt_has_none_in_its_result() -> None:
    result = json.loads(build_result(JOB, lease(), unbegun("expired"), "w1"))
    assert (result["attempts"], result["runner_id"], result["timing"]["total"]) == ([], None, 4.0)


@pytest.mark.parametrize("ending", get_args(Ending))
def test_a_job_that_is_to_be_ended_without_running_ends_as_the_queue_says(ending: Ending) -> None:
    end = end_without_running(lease(ending=ending))
    assert end.status == ending
    assert end.error is not None
    assert not end.error.retryable


def test_a_job_that_is_to_be_run_has_no_ending() -> None:
    with pytest.raises(LookupError, match="acme/j"):
        end_without_running(lease())


def test_endings_of_claimed_jobs() -> None:
    assert (unbegun("expired").status, unbegun("cancelled").status) == ("expired", "cancelled")
    assert cancelled_at_its_end().status == "cancelled"


def test_an_attempt_record_tells_how_it_went() -> None:
    record = attempt_of(lease(), OUTCOME, "w1", "1.2.3")
    assert (record.attempt, record.outcome, record.duration_seconds) == (2, "succeeded", 1.5)


def test_a_trace_parent_gives_its_trace_id() -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    for given_id in (trace, f"00-{trace}-00f067aa0ba902b7-01"):
        assert trace_of(msgspec.structs.replace(JOB, trace_id=given_id)) == trace


@given(st.from_regex(r"[A-Za-z0-9._:-]{1,40}", fullmatch=True), st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True))
def test_every_attempt_of_a_job_without_a_trace_derives_the_same_one(job_id: str, tenant_id: str) -> None:
    text = json.dumps({"job_id": job_id, "tenant_id": tenant_id, "endpoint_module": "m"}).encode()
    first, second = parse_job(text), parse_job(text)
    assert trace_of(first) == trace_of(second)
    assert len(trace_of(first)) == 32
    assert trace_of(msgspec.structs.replace(first, job_id=job_id + "x")) != trace_of(first)
