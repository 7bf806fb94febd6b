"""Why the queue did not take a job."""

from pageworker_supervisor.intake.queue_refusals import refusal_of
from pageworker_supervisor.queue.producer import Enqueued, NewJob

JOB = NewJob(job_id="1", tenant_id="acme", body=b"", batch_id="b")


def test_each_refusal_has_a_type_a_field_and_whether_it_can_be_repeated() -> None:
    expected: dict[Enqueued, tuple[str, str, bool, bool] | None] = {
        "queued": None,
        "duplicate": None,
        "full": ("queue_full", "", True, True),
        "batch_unknown": ("batch_unknown", "batch_id", True, False),
        "batch_closed": ("batch_closed", "batch_id", False, False),
        "batch_full": ("batch_full", "batch_id", False, False),
    }
    for reply, told in expected.items():
        found = refusal_of(JOB, reply)
        assert (found and (found.type, found.field, found.retryable, found.counts)) == told
        assert found is None or found.hint
