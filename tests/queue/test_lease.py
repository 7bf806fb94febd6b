"""A lease is read from the row of a claim's reply."""

from typing import Any

import pytest

from pageworker_supervisor.contract.context_key import NO_EGRESS, ContextKey
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.lease import Lease, lease_from

ROW: dict[str, Any] = {
    "ref": "acme/j1",
    "context": f"p1~{NO_EGRESS}",
    "token": "1-0-nonce",
    "attempts_used": 2,
    "crashes": 0,
    "queued_ms": 1500,
    "total_ms": 2500,
    "priority": "h",
}


def read(**fields: Any) -> Lease:
    return lease_from({**ROW, **fields}, b"{}", 3, asked_at=100.0)


def test_a_row_without_optional_fields() -> None:
    lease = read()
    assert (lease.ref, lease.context) == (JobRef("acme", "j1"), ContextKey("acme", "p1"))
    assert (lease.shard, lease.body, lease.attempt, lease.priority) == (3, b"{}", 3, "high")
    assert (lease.queued_seconds, lease.total_seconds) == (1.5, 2.5)
    assert (lease.ending, lease.profile_fence, lease.begin_before, lease.attempts) == (None, None, None, ())
    assert not lease.exclusive


def test_past_attempts_are_lines() -> None:
    assert read(past_attempts='{"attempt":1}\n{"attempt":2}').attempts == (b'{"attempt":1}', b'{"attempt":2}')


@pytest.mark.parametrize(("crashes", "ending", "exclusive"), [(0, None, False), (1, None, True), (3, "dead", False)])
def test_a_job_that_was_there_when_a_runner_died_runs_alone(crashes: int, ending: str | None, exclusive: bool) -> None:
    assert read(crashes=crashes, ending=ending).exclusive is exclusive


def test_the_time_to_begin_counts_from_the_request_and_not_for_a_job_that_ends() -> None:
    assert read(begins_within_ms=2500).begin_before == 102.5
    assert read(begins_within_ms=2500, ending="expired").begin_before is None


def test_a_clock_that_went_back_gives_no_negative_times() -> None:
    assert (read(queued_ms=-5).queued_seconds, read(total_ms=-5).total_seconds) == (0.0, 0.0)
