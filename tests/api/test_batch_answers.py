"""What the API shows of batches."""

import msgspec

from pageworker_supervisor.api.batch_answers import batch_answer, results_answer
from pageworker_supervisor.queue.batches import BatchJob, BatchJobPage, BatchView

VIEW = BatchView(
    batch_id="b",
    tenant_id="acme",
    state="open",
    size=None,
    job_count=1,
    complete_on="all_ended",
    called_back=True,
    round=1,
    created_at_ms=1_000,
    deadline_at_ms=61_000,
    completed_at_ms=None,
    reason=None,
    counts={"waiting": 1},
)


def test_a_batch_has_instants_and_nulls() -> None:
    shown = msgspec.to_builtins(batch_answer(VIEW))
    assert shown["created_at"] == "1970-01-01T00:00:01Z"
    assert (shown["completed_at"], shown["reason"], shown["size"]) == (None, None, None)
    assert "jobs" not in shown
    assert batch_answer(msgspec.structs.replace(VIEW, completed_at_ms=2_000)).completed_at is not None


def test_a_job_waits_runs_or_has_ended() -> None:
    jobs = (
        BatchJob(job_id="1", running=False, status=None),
        BatchJob(job_id="2", running=True, status=None),
        BatchJob(job_id="3", running=False, status="failed"),
    )
    answer = results_answer(BatchJobPage(jobs, 3))
    assert [(row.state, row.status) for row in answer.results] == [
        ("waiting", None),
        ("running", None),
        ("ended", "failed"),
    ]
    assert answer.next == 3
