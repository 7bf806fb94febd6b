"""Each outcome makes one queue call, with what the queue has to store."""

import datetime as dt
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from pw_doubles import any_typed
from pw_settled import JOB, LEASE, USED, RecordedQueue, attempt, outcome

from pageworker_sandbox.wire.messages import Obstacle
from pageworker_supervisor.config.settings import JobSettings
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.dispatch.begin_guard import OutcomeName
from pageworker_supervisor.dispatch.login_reports import LoginReports
from pageworker_supervisor.dispatch.outcome import EndJob, error, trace_of
from pageworker_supervisor.dispatch.settlement import Settlement
from pageworker_supervisor.queue.errors import CancelHolds
from pageworker_supervisor.runners.start_failure import Blame, ContextBroken, StartFailure
from pageworker_supervisor.telemetry.metrics import Metrics

NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)


def settled(metrics: Metrics | None = None) -> tuple[Settlement, RecordedQueue]:
    queue = any_typed(RecordedQueue())
    counted = metrics or Metrics()
    logins = LoginReports(queue, counted, 60)
    return Settlement("w1.abc", "w1", JobSettings(max_retries=1), queue, queue, counted, logins), queue


@pytest.mark.parametrize(
    ("name", "dead", "event"),
    [("succeeded", False, None), ("cancelled", False, None), ("blocked", False, "blocked"), ("failed", True, None)],
)
async def test_an_ending_is_stored_with_its_result_its_dead_letter_and_its_event(
    name: OutcomeName, dead: bool, event: str | None
) -> None:
    settlement, queue = settled()
    await settlement.attempt_ended(attempt(), outcome(name))
    ((call, (lease, status, stored), more),) = queue.calls
    assert (call, lease, status, more["callback"]) == ("finish", LEASE, name, JOB.callback_url)
    result = json.loads(stored)
    assert (result["status"], result["data"]) == (name, [1] if name == "succeeded" else None)
    assert (more["dead_letter"] is not None) == dead
    assert [json.loads(one)["event"] for one in more["events"]] == ([event] if event else [])


async def test_the_result_and_the_event_of_a_blocker_carry_all_of_it() -> None:
    settlement, queue = settled()
    blocker = {
        "kind": "captcha",
        "provider": "shopguard",
        "evidence": {"title": "Robot?"},
        "url": "https://shop.test/p",
    }
    blocked = msgspec.structs.replace(outcome("blocked"), obstacle=msgspec.convert(blocker, Obstacle))
    await settlement.attempt_ended(attempt(), blocked)
    ((_, (_, _, stored), more),) = queue.calls
    assert json.loads(stored)["blocker"] == blocker
    (event,) = (json.loads(one) for one in more["events"])
    assert (event["event"], event["detail"]) == ("blocked", blocker)


async def test_the_latency_counts_from_the_first_push_and_has_the_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, job = Metrics(), attempt()
    settlement, _ = settled(metrics)
    monkeypatch.setattr(time, "monotonic", lambda: job.claimed_at + 2.0)
    await settlement.attempt_ended(job, outcome("succeeded"))
    labels = {"module": "shop.product"}
    seen = metrics.registry.get_sample_value("pageworker_job_latency_seconds_sum", labels)
    assert seen == pytest.approx(LEASE.total_seconds + 2.0)
    assert f'# {{trace_id="{trace_of(JOB)}"}}' in metrics.negotiate("application/openmetrics-text")[0].decode()


async def test_a_blocker_is_counted_by_kind_and_module() -> None:
    metrics = Metrics()
    settlement, _ = settled(metrics)
    await settlement.attempt_ended(attempt(), outcome("blocked"))
    assert metrics.totals()["blockers"] == 0, "a runner that names no blocker"
    blocked = msgspec.structs.replace(outcome("blocked"), obstacle=Obstacle(kind="captcha"))
    await settlement.attempt_ended(attempt(), blocked)
    labels = {"kind": "captcha", "module": "shop.product"}
    assert metrics.registry.get_sample_value("pageworker_blockers_total", labels) == 1


async def test_a_result_that_is_not_kept_has_no_latency() -> None:
    metrics = Metrics()
    settlement, queue = settled(metrics)
    queue.answers = [False]
    await settlement.attempt_ended(attempt(), outcome("succeeded"))
    assert b"pageworker_job_latency_seconds_count{" not in metrics.expose()


async def test_a_retryable_failure_is_retried_with_its_attempt_record() -> None:
    settlement, queue = settled()
    await settlement.attempt_ended(attempt(), outcome("failed", retryable=True))
    ((call, (_, delay_ms, record, events), more),) = queue.calls
    assert (call, more) == ("retry", {"begun": True, "traffic": USED, "used": b'["failed", "boom"]'})
    kept = json.loads(record)
    assert kept["outcome"] == "failed"
    assert kept["reason"].startswith("boom: "), "the error of the result is that of the last attempt"
    assert 0 <= delay_ms <= 1000
    assert [json.loads(one)["event"] for one in events] == ["retrying"]


async def test_a_job_whose_cancellation_was_acknowledged_ends_as_cancelled() -> None:
    settlement, queue = settled()
    queue.answers = [CancelHolds(), True]
    await settlement.attempt_ended(attempt(), outcome("succeeded"))
    assert [status for _, (_, status, _), _ in queue.calls] == ["succeeded", "cancelled"]


@pytest.mark.parametrize("unused", [True, False])
async def test_the_lock_of_an_unused_profile_ends_with_the_job(unused: bool) -> None:
    settlement, queue = settled()
    queue.answers = [CancelHolds(), True]
    assert await settlement.attempt_ended(attempt(unused=unused), outcome("succeeded")) is unused
    assert [more["release_profile"] for _, _, more in queue.calls] == [unused, unused]


async def test_a_profile_that_is_opened_while_redis_is_away_keeps_its_lock() -> None:
    settlement, queue = settled()
    queue.answers = [ConnectionError(), True]
    ending = attempt(unused=True)

    async def retry(call: Callable[[], Awaitable[Any]]) -> Any:
        with pytest.raises(ConnectionError):
            await call()
        ending.has_unused_profile = False
        return await call()

    any_typed(queue).retry_until_available = retry
    assert await settlement.attempt_ended(ending, outcome("succeeded")) is False
    assert [more["release_profile"] for _, _, more in queue.calls] == [True, False]


async def test_a_lock_stays_where_the_job_does_not_end_here() -> None:
    settlement, queue = settled()
    queue.answers = [False]
    assert await settlement.attempt_ended(attempt(unused=True), outcome("succeeded")) is False
    assert await settlement.attempt_ended(attempt(unused=True), outcome("failed", retryable=True)) is False


async def test_a_context_that_does_not_come_up_fails_the_attempt_with_its_error() -> None:
    settlement, queue = settled()
    failure = StartFailure(Blame.CONTEXT, "a link", "profile_tampered", "Restore it.", retryable=False)
    await settlement.not_started(attempt(), ContextBroken(failure, 3.0), None)
    ((call, (_, _, stored), _),) = queue.calls
    result = json.loads(stored)
    assert (call, result["status"], result["error"]["type"], result["runner_id"]) == (
        "finish",
        "failed",
        "profile_tampered",
        None,
    )


async def test_a_crash_counts_with_a_lost_attempt() -> None:
    settlement, queue = settled()
    await settlement.crashed(attempt(), "w1.1", "the runner exited", NOW, 2.0, begun=True)
    ((call, (_, delay_ms, record), more),) = queue.calls
    assert (call, more, json.loads(record)["outcome"], json.loads(record)["duration_seconds"]) == (
        "crash",
        {"begun": True, "traffic": USED, "used": b'["lost", "the runner exited"]'},
        "lost",
        2.0,
    )
    assert 0 <= delay_ms <= 1000


async def test_a_bug_counts_as_a_crash() -> None:
    settlement, queue = settled()
    await settlement.ended_by_bug(attempt(), time.monotonic() - 2.0, begun=False)
    ((call, (_, _, record), more),) = queue.calls
    assert (call, more, json.loads(record)["outcome"]) == (
        "crash",
        {"begun": False, "traffic": USED, "used": b'["lost", "a bug of the worker: its log has the traceback"]'},
        "lost",
    )
    assert 2.0 <= json.loads(record)["duration_seconds"] < 60.0


async def test_uncharged_endings_make_their_own_calls() -> None:
    settlement, queue = settled()
    await settlement.requeue(attempt(), "no page", begun=True)
    await settlement.defer(attempt(), "the host")
    await settlement.reassign(attempt(), ContextKey("acme", None, "0" * 12))
    await settlement.release("acme", "p", 4)
    assert [call for call, _, _ in queue.calls] == ["requeue", "defer", "reassign", "release_profile"]
    assert queue.calls[0][2] == {"begun": True, "traffic": USED, "used": b"[]"}
    assert queue.calls[-1][1] == ("w1.abc", "acme", "p", 4)


async def test_a_rejected_job_is_dead_lettered_with_its_reason() -> None:
    settlement, queue = settled()
    await settlement.end(attempt(), EndJob("rejected", error("module_unknown", "no such module", retryable=False)))
    ((_, _, more),) = queue.calls
    assert json.loads(more["dead_letter"])["error"]["type"] == "module_unknown"
    assert [json.loads(one)["event"] for one in more["events"]] == ["rejected"]
