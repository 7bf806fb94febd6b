"""A runner's data becomes JSON or is refused, an outcome ends or retries its job, and the job gets its result."""

import datetime as dt
import json
from types import SimpleNamespace
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pw_leases import new_lease

from pageworker_sandbox.wire.messages import Done, Failure, Obstacle
from pageworker_supervisor.config.settings import JobSettings
from pageworker_supervisor.contract.job import Job, parse_job
from pageworker_supervisor.contract.traffic import Traffic
from pageworker_supervisor.dispatch.begin_guard import OutcomeName
from pageworker_supervisor.dispatch.outcome import (
    WORKER_LOST,
    EndJob,
    NotJson,
    Outcome,
    RetryJob,
    attempt_number,
    attempt_of,
    backoff_seconds,
    build_result,
    cancelled_at_its_end,
    decide,
    end_without_running,
    json_of,
    lost_attempt,
    outcome_of_answer,
    outcome_of_breach,
    past_attempts,
    trace_of,
    unbegun,
)
from pageworker_supervisor.queue.claim import Ending
from pageworker_supervisor.runners.budget_breach import BudgetBreach
from pageworker_supervisor.runners.limit_breach import Breach

RULES = JobSettings(max_retries=2, retry_base_seconds=1, retry_cap_seconds=60)
NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
JOB = Job(job_id="j", tenant_id="acme", endpoint_module="shop.product", meta=msgspec.Raw(b'{"order":7}'))
SUCCESS = Outcome(
    outcome="succeeded",
    runner_id="w1.3",
    started_at=NOW,
    admitted_seconds=0.25,
    ran_seconds=1.5,
    data=msgspec.Raw(b'{"price":9}'),
)
LOST = b'{"attempt":1,"started_at":"2030-01-01T00:00:00Z","duration_seconds":0.5,"outcome":"lost","worker_id":"w0"}'
"""As Redis writes it when a worker is lost."""
SECOND = new_lease(attempt=2, crashes=3, queued_seconds=2.0, total_seconds=4.0)
"""Of a job whose first attempt is over."""


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_refused(untrusted: bytes) -> None:
    try:
        text = json_of(msgspec.Raw(untrusted))
    except NotJson:
        return
    msgspec.json.decode(text)


@pytest.mark.parametrize(
    "untrusted",
    [b"", b"\xc1", b"\xd4\x05\x00", b"\x81\x91\x01\x02", b"\xa1\xff", b"\x91" * 5000 + b"\xc0", b"\xc0\xc0"],
    ids=["empty", "reserved", "extension", "list as a key", "not UTF-8", "deep", "trailing"],
)
def test_what_json_cannot_say_is_refused(untrusted: bytes) -> None:
    with pytest.raises(NotJson):
        json_of(msgspec.Raw(untrusted))


def test_plain_data_stays_itself() -> None:
    data = {"a": [1, 2.5, None, True, "é"], "b": {}}
    assert msgspec.json.decode(json_of(msgspec.Raw(msgspec.msgpack.encode(data)))) == data


def ended_page(breach: BudgetBreach | None) -> Any:
    """A page whose attempt has ended."""
    runner = SimpleNamespace(runner_id="w1.3")
    of_attempt = {"began_at": 5.0, "started_at": NOW, "artifacts": [], "artifacts_lost": [], "budget_breach": breach}
    return SimpleNamespace(runner=runner, end_traffic=lambda: None, **of_attempt)


@pytest.mark.parametrize("ran", ["succeeded", "failed", "blocked", "timed_out"])
def test_a_job_past_its_budget_has_failed_for_good_whatever_its_module_says(ran: OutcomeName) -> None:
    failure = Failure(type="navigation_error", message="reset", retryable=True, retry_after_seconds=5)
    done = Done(attempt_id="a", outcome=ran, data=msgspec.Raw(b"\x80"), failure=failure, ran_seconds=1.0)
    breach = BudgetBreach("bytes", 1000, 1000)
    over = outcome_of_answer(done, ran, ended_page(breach), 4.0, begun=True)
    ended = decide(JOB, over, 1, RULES, lambda: 0.5)
    assert isinstance(ended, EndJob)
    assert ended.status == "failed"
    assert ended.error is not None
    assert (ended.error.type, ended.error.retryable) == ("egress_budget", False)
    assert msgspec.json.decode(msgspec.json.encode(ended.error.detail)) == breach.detail
    assert (over.data, over.obstacle) == (msgspec.Raw(b"null"), None)
    within = outcome_of_answer(done, ran, ended_page(None), 4.0, begun=True)
    assert (within.outcome, within.failure) == (ran, failure)


def test_a_cancellation_holds_past_the_budget() -> None:
    done = Done(attempt_id="a", outcome="cancelled")
    assert outcome_of_answer(done, "cancelled", ended_page(BudgetBreach("bytes", 1, 1)), 4.0, begun=True).outcome == (
        "cancelled"
    )


@pytest.mark.parametrize(
    "breach", [BudgetBreach("requests", 5, 7), Breach("memory_limit", 2, 1, "bytes")], ids=["budget", "memory"]
)
def test_a_runner_that_is_lost_past_a_limit_ends_the_job_for_good(breach: BudgetBreach | Breach) -> None:
    lost = outcome_of_breach(breach, ended_page(None), 4.0, cancelled=False, begun=True)
    ended = decide(JOB, lost, 1, RULES, lambda: 0.5)
    assert isinstance(ended, EndJob)
    assert ended.error is not None
    assert (ended.status, ended.error.retryable) == ("failed", False)
    assert ended.error.type == ("egress_budget" if isinstance(breach, BudgetBreach) else "memory_limit")
    assert ended.error.message == breach.message
    assert outcome_of_breach(breach, ended_page(None), 4.0, cancelled=True, begun=True).outcome == "cancelled"


def outcome(ran: OutcomeName, *, retryable: bool | None = None, after: float | None = None) -> Outcome:
    failed = retryable is not None
    failure = Failure(type="boom", message="it broke", retryable=retryable or False, retry_after_seconds=after)
    return Outcome(outcome=ran, runner_id="r", started_at=NOW, failure=failure if failed else None)


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


def test_a_time_out_keeps_what_the_runner_says_of_it() -> None:
    failure = Failure(type="timed_out", message="it was in Page.goto", retryable=True)
    told = msgspec.structs.replace(outcome("timed_out"), failure=failure, detail=msgspec.Raw(b'{"call":"Page.goto"}'))
    end = decide(JOB, told, 3, RULES, lambda: 0.5)
    assert isinstance(end, EndJob)
    assert end.error is not None
    assert (end.error.type, end.error.message, end.error.detail) == (
        "timeout",
        "it was in Page.goto",
        msgspec.Raw(b'{"call":"Page.goto"}'),
    )


def test_the_jobs_own_max_retries_wins() -> None:
    job = msgspec.structs.replace(JOB, max_retries=0)
    assert isinstance(decide(job, outcome("failed", retryable=True), 1, RULES, lambda: 0.5), EndJob)


def test_a_blocker_is_an_answer() -> None:
    blocked = msgspec.structs.replace(
        outcome("blocked"),
        obstacle=Obstacle(kind="captcha", provider="p", evidence={"selector": "#c"}, url="https://shop.example/"),
    )
    decision = decide(JOB, blocked, 1, RULES, lambda: 0.5)
    assert isinstance(decision, EndJob)
    expected = {"kind": "captcha", "provider": "p", "evidence": {"selector": "#c"}, "url": "https://shop.example/"}
    assert msgspec.to_builtins(decision.blocker) == expected


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


def test_a_success_has_its_data_its_attempts_and_its_times() -> None:
    result = json.loads(
        build_result(
            JOB,
            msgspec.structs.replace(
                SECOND, attempts=(msgspec.json.encode(lost_attempt(JOB, new_lease(), "w0", None, NOW, 0.5, "gone")),)
            ),
            EndJob("succeeded"),
            "w1",
            "1.2.3",
            SUCCESS,
        )
    )
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
    assert result["timing"] == {"queued": 2.0, "admitted": 0.25, "ran": 2.0, "total": 5.75}
    assert result["usage"] == {"page_seconds": 0.0, "requests": 0, "bytes_in": 0, "bytes_out": 0}


def test_a_job_that_did_not_succeed_has_no_data() -> None:
    result = json.loads(build_result(JOB, SECOND, EndJob("cancelled"), "w1", None, SUCCESS))
    assert (result["status"], result["data"]) == ("cancelled", None)


def test_a_job_that_ended_without_an_attempt_has_none_in_its_result() -> None:
    result = json.loads(build_result(JOB, SECOND, unbegun("expired"), "w1"))
    assert (result["attempts"], result["runner_id"], result["timing"]["total"]) == ([], None, 4.0)


@pytest.mark.parametrize("ending", get_args(Ending))
def test_a_job_that_is_to_be_ended_without_running_ends_as_the_queue_says(ending: Ending) -> None:
    end = end_without_running(JOB, new_lease(ending=ending))
    assert end.status == ending
    assert end.error is not None
    assert not end.error.retryable


def test_a_job_that_is_to_be_run_has_no_ending() -> None:
    with pytest.raises(LookupError, match="acme/j"):
        end_without_running(JOB, SECOND)


def test_endings_of_claimed_jobs() -> None:
    assert (unbegun("expired").status, unbegun("cancelled").status) == ("expired", "cancelled")
    assert cancelled_at_its_end().status == "cancelled"


def test_an_attempt_record_tells_how_it_went() -> None:
    lease = msgspec.structs.replace(SECOND, attempts=(LOST,))
    record = attempt_of(JOB, lease, SUCCESS, "w1", "1.2.3")
    assert (record.attempt, record.outcome, record.duration_seconds) == (2, "succeeded", 1.5)


def test_tries_are_numbered_in_their_order_whatever_ended_them() -> None:
    """A lost attempt is not charged, so the attempts that Redis counts are fewer than the tries."""
    job = msgspec.structs.replace(JOB, retry_count=2)
    lease = msgspec.structs.replace(SECOND, attempt=3, attempts=(LOST, LOST, LOST))
    assert [record.attempt for record in past_attempts(job, lease)] == [3, 4, 5]
    assert attempt_number(job, lease) == attempt_of(job, lease, SUCCESS, "w1", None).attempt == 6


def test_a_job_that_is_dead_says_how_its_runners_died() -> None:
    ours = msgspec.json.encode(lost_attempt(JOB, new_lease(), "w0", None, NOW, 0.5, "the runner exited with code 3"))
    lease = new_lease(ending="dead", crashes=2, attempts=(ours, LOST))
    end = end_without_running(JOB, lease)
    assert end.error is not None
    assert end.error.detail == {
        "deaths": [
            {"attempt": 1, "reason": "the runner exited with code 3"},
            {"attempt": 2, "reason": WORKER_LOST},
        ]
    }
    assert end.error.message.endswith(f"2 times while the job ran. The last time: {WORKER_LOST}")


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


def test_page_seconds_are_those_of_earlier_leases_and_of_this_one() -> None:
    lease = msgspec.structs.replace(SECOND, page_seconds=4.5)
    result = json.loads(build_result(JOB, lease, EndJob("succeeded"), "w1", "1.0.0", SUCCESS, held_seconds=2.25))
    assert result["usage"]["page_seconds"] == 6.75


def test_traffic_is_that_of_earlier_leases_and_of_this_one() -> None:
    lease = msgspec.structs.replace(SECOND, traffic=Traffic(2, bytes_in=900, bytes_out=40))
    end, used = EndJob("succeeded"), Traffic(1, bytes_in=100, bytes_out=2)
    result = json.loads(build_result(JOB, lease, end, "w1", "1.0.0", SUCCESS, traffic=used))
    assert result["usage"] == {"page_seconds": 0.0, "requests": 3, "bytes_in": 1000, "bytes_out": 42}
