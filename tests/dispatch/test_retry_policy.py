"""What an outcome means for its job: the end, or a retry."""

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.wire.messages import Failure, Obstacle
from pageworker_supervisor.config.settings import JobSettings
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.dispatch.outcome import Outcome, OutcomeName
from pageworker_supervisor.dispatch.retry_policy import EndJob, RetryJob, backoff_seconds, decide

RULES = JobSettings(max_retries=2, retry_base_seconds=1, retry_cap_seconds=60)
JOB = Job(job_id="j", tenant_id="t", endpoint_module="m")


def outcome(ran: OutcomeName, *, retryable: bool | None = None, after: float | None = None) -> Outcome:
    failed = retryable is not None
    failure = Failure(type="boom", message="it broke", retryable=retryable or False, retry_after_seconds=after)
    return Outcome(outcome=ran, runner_id="r", started_at=dt.datetime.now(dt.UTC), failure=failure if failed else None)


def test_success_ends() -> None:
    assert decide(JOB, outcome("succeeded"), 1, RULES, lambda: 0.5) == EndJob("succeeded")


def test_a_retryable_failure_is_retried_until_the_retries_are_used() -> None:
    decisions = [decide(JOB, outcome("failed", retryable=True), n, RULES, lambda: 0.5) for n in (1, 2, 3)]
    assert [type(decision) for decision in decisions] == [RetryJob, RetryJob, EndJob]
    assert isinstance(decisions[2], EndJob)
    assert decisions[2].status == "failed"
    assert decisions[2].error is not None
    assert decisions[2].error.type == "boom"


def test_a_failure_that_is_not_retryable_ends_at_once() -> None:
    decision = decide(JOB, outcome("failed", retryable=False), 1, RULES, lambda: 0.5)
    assert isinstance(decision, EndJob)
    assert decision.status == "failed"


def test_a_time_out_is_retryable() -> None:
    assert isinstance(decide(JOB, outcome("timed_out"), 1, RULES, lambda: 0.5), RetryJob)
    assert decide(JOB, outcome("timed_out"), 3, RULES, lambda: 0.5).__class__ is EndJob


def test_the_jobs_own_max_retries_wins() -> None:
    job = msgspec.structs.replace(JOB, max_retries=0)
    assert isinstance(decide(job, outcome("failed", retryable=True), 1, RULES, lambda: 0.5), EndJob)


def test_a_blocker_is_an_answer() -> None:
    blocked = msgspec.structs.replace(
        outcome("blocked"), obstacle=Obstacle(kind="captcha", provider="p", evidence={"selector": "#c"})
    )
    decision = decide(JOB, blocked, 1, RULES, lambda: 0.5)
    assert isinstance(decision, EndJob)
    assert decision.blocker is not None
    assert decision.blocker.kind == "captcha"


def test_a_cancelled_job_is_never_retried() -> None:
    decision = decide(JOB, outcome("cancelled"), 1, RULES, lambda: 0.5)
    assert isinstance(decision, EndJob)
    assert decision.status == "cancelled"


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_the_delay_stays_below_the_cap(attempt: int, jitter: float) -> None:
    job = msgspec.structs.replace(JOB, max_retries=20)
    assert 0 <= backoff_seconds(attempt, RULES) * jitter <= RULES.retry_cap_seconds
    decision = decide(job, outcome("failed", retryable=True), attempt, RULES, lambda: jitter)
    assert isinstance(decision, RetryJob) == (attempt <= 20)


def test_a_module_that_asks_for_time_gets_it_and_the_backoff_on_top() -> None:
    decision = decide(JOB, outcome("failed", retryable=True, after=30), 2, RULES, lambda: 0.5)
    assert isinstance(decision, RetryJob)
    assert decision.delay_seconds == 30 + 2 * 0.5


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (500, 60)])
def test_backoff_doubles(attempt: int, seconds: float) -> None:
    assert backoff_seconds(attempt, RULES) == seconds
