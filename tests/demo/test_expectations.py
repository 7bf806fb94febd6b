"""The comparison reports everything that can be wrong, and nothing else."""

import copy
from typing import Any

import pytest

from pageworker_demo.callback_receiver import ReceivedCallback
from pageworker_demo.expectations import jobs_to_call_back, problems, ref_of
from pageworker_demo.scenario import ScenarioJob, scenario

JOBS = scenario("http://127.0.0.1:1")


def result_of(job: ScenarioJob) -> dict[str, Any]:
    expected = job.expected
    return {
        "job_id": job.ref.job_id,
        "tenant_id": job.ref.tenant_id,
        "status": expected.status,
        "data": expected.data,
        "error": {"type": expected.error_type, "message": "why"} if expected.error_type else None,
        "blocker": {"kind": expected.blocker} if expected.blocker else None,
        "artifacts": [{"kind": kind} for kind in expected.artifacts],
        "attempts": [{}] * (expected.attempts or 1),
        "meta": job.fields.get("meta", {}),
    }


RESULTS = [result_of(job) for job in JOBS]
CALLBACKS = [ReceivedCallback(ref, genuine=True, accepted=True) for ref in sorted(jobs_to_call_back(JOBS))]


def test_a_scenario_that_went_as_expected_has_no_problems() -> None:
    assert problems(JOBS, RESULTS, CALLBACKS) == []


def test_a_callback_that_was_refused_once_and_came_again_is_no_problem() -> None:
    again = ReceivedCallback(CALLBACKS[0].ref, genuine=True, accepted=False)
    assert problems(JOBS, RESULTS, [again, *CALLBACKS]) == []


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("acme/ktl-01", {"status": "failed"}),
        ("acme/ktl-01", {"data": {"sku": "KTL-01", "title": "?"}}),
        ("acme/ktl-01", {"meta": {}}),
        ("acme/account-2", {"data": {"member": "ada", "logged_in_before": False}}),
        ("globex/captcha", {"blocker": None}),
        ("globex/failing", {"artifacts": [{"kind": "html"}]}),
        ("globex/failing", {"attempts": [{}]}),
        ("globex/failing", {"error": {"type": "handler_error", "message": ""}}),
        ("acme/unknown-field", {"error": None}),
    ],
)
def test_a_problem_names_its_job(name: str, change: dict[str, Any]) -> None:
    results = copy.deepcopy(RESULTS)
    next(result for result in results if str(ref_of(result)) == name).update(change)
    found = problems(JOBS, results, CALLBACKS)
    assert found
    assert all(problem.startswith(name) for problem in found)


def test_missing_duplicate_and_unknown_results_are_named() -> None:
    results = [*RESULTS[1:], RESULTS[1], {**RESULTS[2], "job_id": "unknown"}]
    found = problems(JOBS, results, CALLBACKS)
    assert sorted(found) == sorted(
        [
            f"{ref_of(RESULTS[0])}: no result",
            f"{ref_of(RESULTS[1])}: 2 results instead of one",
            f"{RESULTS[2]['tenant_id']}/unknown: a result of a job that was not pushed",
        ]
    )


def test_callbacks_come_once_and_are_signed() -> None:
    first, second, *rest = CALLBACKS
    forged = ReceivedCallback(first.ref, genuine=False, accepted=True)
    found = problems(JOBS, RESULTS, [forged, *rest, rest[0]])
    assert found == [
        f"{first.ref}: callback with a wrong signature",
        f"{second.ref}: called back 0 times",
        f"{rest[0].ref}: called back 2 times",
    ]
