"""The ledger has to see everything that can be wrong, and nothing else."""

import copy
from typing import Any

import pytest

from pageworker_demo.callback_receiver import ReceivedCallback
from pageworker_demo.expectations import complaints, owed, ref_of
from pageworker_demo.scenario import ScenarioJob, scenario

ACTS = scenario("http://127.0.0.1:1")


def answer_to(act: ScenarioJob) -> dict[str, Any]:
    expected = act.expected
    return {
        "job_id": act.ref.job_id,
        "tenant_id": act.ref.tenant_id,
        "status": expected.status,
        "data": expected.data,
        "error": {"type": expected.error_type, "message": "why"} if expected.error_type else None,
        "blocker": {"kind": expected.blocker} if expected.blocker else None,
        "artifacts": [{"kind": kind} for kind in expected.artifacts],
        "attempts": [{}] * (expected.attempts or 1),
        "meta": act.job.get("meta", {}),
    }


ANSWERS = [answer_to(act) for act in ACTS]
DELIVERIES = [ReceivedCallback(ref, genuine=True, accepted=True) for ref in sorted(owed(ACTS))]


def test_a_programme_that_went_as_it_should_has_no_complaints() -> None:
    assert complaints(ACTS, ANSWERS, DELIVERIES) == []


def test_a_callback_that_was_refused_once_and_came_again_is_fine() -> None:
    again = ReceivedCallback(DELIVERIES[0].ref, genuine=True, accepted=False)
    assert complaints(ACTS, ANSWERS, [again, *DELIVERIES]) == []


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
def test_what_is_wrong_is_named(name: str, change: dict[str, Any]) -> None:
    answers = copy.deepcopy(ANSWERS)
    next(answer for answer in answers if str(ref_of(answer)) == name).update(change)
    found = complaints(ACTS, answers, DELIVERIES)
    assert found
    assert all(complaint.startswith(name) for complaint in found)


def test_lost_doubled_and_foreign_results_are_named() -> None:
    answers = [*ANSWERS[1:], ANSWERS[1], {**ANSWERS[2], "job_id": "stranger"}]
    found = complaints(ACTS, answers, DELIVERIES)
    assert sorted(found) == sorted(
        [
            f"{ref_of(ANSWERS[0])}: no result",
            f"{ref_of(ANSWERS[1])}: 2 results instead of one",
            f"{ANSWERS[2]['tenant_id']}/stranger: a result that nobody asked for",
        ]
    )


def test_callbacks_are_owed_once_and_signed() -> None:
    first, second, *rest = DELIVERIES
    forged = ReceivedCallback(first.ref, genuine=False, accepted=True)
    found = complaints(ACTS, ANSWERS, [forged, *rest, rest[0]])
    assert found == [
        f"{first.ref}: callback with a wrong signature",
        f"{second.ref}: called back 0 times",
        f"{rest[0].ref}: called back 2 times",
    ]


def test_the_programme_has_thirty_jobs_of_three_tenants_and_every_kind_of_end() -> None:
    assert len(ACTS) >= 30
    assert len({act.ref for act in ACTS}) == len(ACTS)
    assert {act.job["tenant_id"] for act in ACTS} == {"acme", "globex", "initech"}
    ends = {act.expected.status for act in ACTS}
    assert ends == {"succeeded", "failed", "blocked", "timed_out", "rejected", "expired"}
    known = {act.ref for act in ACTS}
    assert all(act.after in known for act in ACTS if act.after)
