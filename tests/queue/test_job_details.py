"""A job from the reply of `show_job`. The function itself: tests/queue/test_history.py."""

from typing import Any

from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.job_details import details_from

REF = JobRef("acme", "17")
RECORD: dict[str, Any] = {
    "state": "queued",
    "priority": "h",
    "context": "p1~-",
    "domain": "-",
    "pushed_at": "1000",
    "attempts_used": "2",
    "traffic": "1 2 3",
    "lease_traffic": "10 20 30",
    "defer_reason": "no page",
}
BODY = b'{"endpoint_module":"shop.product@1.4.2","trace_id":"t","payload":{"password":"x"}}'


def test_a_record_counts_more_than_a_result() -> None:
    found = details_from(REF, RECORD, BODY, b"q3e8", b'{"status":"rejected"}')
    assert found is not None
    assert (found.state, found.status, found.module, found.profile_id) == ("queued", None, "shop.product@1.4.2", "p1")
    assert (found.requests, found.bytes_in, found.bytes_out) == (11, 22, 33)
    assert (found.attempts_used, found.crashes, found.why, found.domain) == (2, 0, "no page", None)
    assert [line.at_ms for line in found.history] == [1000]


def test_a_running_job_does_not_wait() -> None:
    found = details_from(REF, {**RECORD, "state": "running", "used": '{"page":1}'}, BODY, b"", None)
    assert found is not None
    assert (found.why, found.used) == (None, {"page": 1})


def test_a_job_that_has_ended_is_told_by_its_result() -> None:
    result = b'{"status":"failed","endpoint_module":"shop.product","usage":{"requests":4},"worker_id":"w1"}'
    found = details_from(REF, None, b"", b"", result)
    assert found is not None
    assert (found.state, found.status, found.worker, found.requests, found.history) == ("ended", "failed", "w1", 4, ())


def test_nothing_is_known_without_record_result_and_history() -> None:
    assert details_from(REF, None, b"", b"", None) is None
