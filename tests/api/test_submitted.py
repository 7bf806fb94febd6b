"""What became of each submitted job."""

from pageworker_supervisor.api.job_texts import JobText
from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.submitted import submitted_answers
from pageworker_supervisor.intake.admission import RejectedText
from pageworker_supervisor.intake.submission import SubmittedJob
from pageworker_supervisor.queue.producer import NewJob


def test_outcomes_and_problems_are_in_the_order_of_the_jobs() -> None:
    wrong = JobText(problem=ApiProblem("invalid_field", "why", kind="job_invalid"), job_id="x")
    outcomes = (
        SubmittedJob(NewJob(job_id="1", tenant_id="acme", body=b""), "queued"),
        RejectedText(b"", "batch_closed", "why", field="batch_id"),
    )
    answers = submitted_answers((JobText(b"1"), wrong, JobText(b"2", job_id="2")), outcomes)
    assert [(answer.job_id, answer.status) for answer in answers] == [
        ("1", "queued"),
        ("x", "rejected"),
        ("2", "rejected"),
    ]
    assert answers[2].problem is not None
    assert (answers[2].problem.code, answers[2].problem.status) == ("batch_closed", 422)
