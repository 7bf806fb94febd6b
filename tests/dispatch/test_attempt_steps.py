"""The steps of all attempts of a job are in its result, the newest last."""

import datetime as dt

import msgspec
from pw_leases import new_lease

from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.result import AttemptRecord, StepRecord
from pageworker_supervisor.dispatch.attempt_steps import PAST_BYTES, PAST_STEPS, past_attempt, result_steps
from pageworker_supervisor.dispatch.outcome import past_attempts
from pageworker_supervisor.runners.step_log import KEPT_STEPS

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
JOB = Job(job_id="j", tenant_id="acme", endpoint_module="shop.product", retry_count=2)
RECORD = AttemptRecord(attempt=3, started_at=NOW, duration_seconds=1.0, outcome="failed", worker_id="w1")


def step(number: int, text: str = "x") -> StepRecord:
    return StepRecord(number=number, at=NOW, text=text)


def test_each_step_names_its_attempt() -> None:
    # What Redis writes of an attempt that was lost with its worker has no steps.
    lost = msgspec.json.encode(RECORD)
    lease = new_lease(attempts=(past_attempt(RECORD, (step(1), step(2))), lost))
    steps = result_steps(JOB, lease, (step(1),))
    assert [(each.attempt, each.number) for each in steps] == [(3, 1), (3, 2), (5, 1)]
    assert [record.outcome for record in past_attempts(JOB, lease)] == ["failed", "failed"]


def test_the_record_of_a_past_attempt_has_its_newest_steps_within_bounds() -> None:
    many = tuple(step(number) for number in range(1, KEPT_STEPS + 1))
    lease = new_lease(attempts=(past_attempt(RECORD, many),))
    assert [each.number for each in result_steps(JOB, lease, ())] == list(range(KEPT_STEPS - PAST_STEPS + 1, 101))
    large = tuple(step(number, "x" * 500) for number in range(1, 20))
    assert len(past_attempt(RECORD, large)) < PAST_BYTES + 400
    assert len(result_steps(JOB, lease, many)) == KEPT_STEPS
