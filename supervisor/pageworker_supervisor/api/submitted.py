"""What became of submitted jobs, as the API tells it. Pure."""

from collections.abc import Sequence

from pageworker_supervisor.api.answers import SubmittedAnswer
from pageworker_supervisor.api.job_texts import JobText
from pageworker_supervisor.api.problem import ApiProblem, problem_of_job
from pageworker_supervisor.intake.admission import RejectedText
from pageworker_supervisor.intake.submission import SubmittedJob


def submitted_answers(
    jobs: Sequence[JobText], outcomes: Sequence[SubmittedJob | RejectedText]
) -> tuple[SubmittedAnswer, ...]:
    """One answer per job, in their order. `outcomes`: of those without a problem."""
    left = iter(outcomes)
    return tuple(submitted_answer(job, job.problem or next(left)) for job in jobs)


def submitted_answer(job: JobText, outcome: SubmittedJob | RejectedText | ApiProblem) -> SubmittedAnswer:
    """The answer of one job."""
    if isinstance(outcome, RejectedText):
        outcome = problem_of_job(outcome)
    if isinstance(outcome, ApiProblem):
        return SubmittedAnswer(job_id=job.job_id, tenant_id=job.tenant_id, status="rejected", problem=outcome.document)
    ref = outcome.job.ref
    return SubmittedAnswer(job_id=ref.job_id, tenant_id=ref.tenant_id, status=outcome.outcome)
