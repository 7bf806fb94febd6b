"""What the API shows of a job."""

import datetime as dt
from typing import get_args

import msgspec
import pytest

from pageworker_supervisor.api.answers import (
    JobAnswer,
    UsageEntry,
    cancel_answer,
    job_answer,
    timeline_answer,
    usage_answer,
)
from pageworker_supervisor.contract.job_history import parse_history
from pageworker_supervisor.queue.job_details import JobDetails
from pageworker_supervisor.queue.usage import UsageHour
from pageworker_supervisor.queue.views import CancelReply


def test_a_job_without_what_belongs_to_its_worker() -> None:
    details = JobDetails(
        job_id="1", tenant_id="acme", state="running", token="fence", worker="w1", due_at_ms=1000, cancel_requested=True
    )
    answer = job_answer(details)
    assert answer.due_at == dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC)
    assert answer.cancel_requested
    assert not {"token", "worker", "history"} & set(JobAnswer.__struct_fields__)
    assert msgspec.json.encode(job_answer(JobDetails(job_id="1", tenant_id="a", state="ended"))) == (
        b'{"job_id":"1","tenant_id":"a","state":"ended"}'
    )


@pytest.mark.parametrize("reply", get_args(CancelReply))
def test_each_reply_of_a_cancellation(reply: CancelReply) -> None:
    answer = cancel_answer("1", "acme", reply)
    expected = {"cancelled": ("cancelled", True), "cancelling": ("cancelling", True), "awaited": ("cancelling", False)}
    assert (None if answer is None else (answer.outcome, answer.known)) == expected.get(reply)


def test_a_timeline_without_fencing_tokens_and_secrets() -> None:
    history = parse_history(
        b'q1\n*3\nf5{"worker":"w1","token":"fence","used":{"attempt":1,"outcome":"succeeded","secrets":["login"]}}\n'
        b'L6{"status":503,"reason":"unavailable","tries":[]}\nz'
    )
    answer = timeline_answer(JobDetails(job_id="1", tenant_id="acme", state="ended", history=tuple(history)))
    text = msgspec.json.encode(answer)
    assert b"fence" not in text
    assert b"login" not in text
    assert [entry.event for entry in answer.timeline] == [
        *("enqueue", "dropped", "finish", "callback_later", "unreadable")
    ]
    assert (answer.timeline[1].dropped, answer.timeline[2].attempt, answer.timeline[2].worker_id) == (3, 1, "w1")
    assert (answer.timeline[3].http_status, answer.timeline[3].reason) == (503, "unavailable")


def test_an_hour_of_usage_has_all_its_numbers() -> None:
    row = UsageHour(
        tenant_id="acme", hour=7200, page_seconds=1.5, requests=2, bytes_in=3, bytes_out=4, jobs={"dead": 5}
    )
    (shown,) = usage_answer("acme", [row]).hours
    at = dt.datetime(1970, 1, 1, 2, tzinfo=dt.UTC)
    assert shown == UsageEntry(hour=at, page_seconds=1.5, requests=2, bytes_in=3, bytes_out=4, jobs={"dead": 5})
