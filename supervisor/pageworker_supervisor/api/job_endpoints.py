"""The operations on jobs: submit, look, wait for the result, cancel."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from pageworker_supervisor.admin.operator_api import JSON, json_response
from pageworker_supervisor.api.answers import (
    CancelAnswer,
    JobAnswer,
    SubmittedAnswer,
    SubmittedList,
    TimelineAnswer,
    cancel_answer,
    job_answer,
    timeline_answer,
)
from pageworker_supervisor.api.client_presence import while_connected
from pageworker_supervisor.api.endpoint import TENANT, Endpoint, QueryField
from pageworker_supervisor.api.grant import READ, WRITE, ApiGrant, job_of, nothing_there
from pageworker_supervisor.api.job_texts import JobTexts, job_texts
from pageworker_supervisor.api.problem import ApiProblem, problem_of_job
from pageworker_supervisor.api.query import check_names, seconds_of
from pageworker_supervisor.api.redis_calls import RedisCalls
from pageworker_supervisor.api.request_body import RequestBodies
from pageworker_supervisor.api.result_waits import ResultWaits
from pageworker_supervisor.api.submitted import submitted_answer, submitted_answers
from pageworker_supervisor.audit.decisions import Decisions
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.result import Result
from pageworker_supervisor.intake.admission import RejectedText
from pageworker_supervisor.intake.submission import JobSubmission, SubmittedJob
from pageworker_supervisor.queue.inspection import QueueInspection
from pageworker_supervisor.queue.job_details import JobDetails

FLEET = "*"
"""Stands for the tenant of a fleet's token. No tenant has this name."""
LOOK_AGAIN_SECONDS = 2.0
"""After which a caller may ask again for a result that is not there."""


class JobEndpoints:
    """The handlers, over the queue."""

    def __init__(
        self,
        submission: JobSubmission,
        inspection: QueueInspection,
        waits: ResultWaits,
        calls: RedisCalls,
        bodies: RequestBodies,
        max_wait_seconds: float,
        decisions: Decisions | None = None,
    ) -> None:
        """`decisions`: where cancellations are recorded; None: nowhere but in the log."""
        self._decisions = decisions
        self._submission = submission
        self._inspection = inspection
        self._waits = waits
        self._calls = calls
        self._bodies = bodies
        self._max_wait_seconds = max_wait_seconds

    def table(self) -> tuple[Endpoint, ...]:
        """The operations."""
        wait = QueryField(
            "wait",
            "Seconds to wait for the result, if it is not there.",
            {"type": "number", "minimum": 0, "maximum": self._max_wait_seconds, "default": 0},
        )
        job = "/v1/jobs/{job_id}"
        submitted = {200: (SubmittedAnswer, SubmittedList), 202: (SubmittedAnswer,)}
        problems = ("tenant_mismatch", "body_timeout", "body_too_large", "media_type", "job_invalid", "queue_full")
        return (
            Endpoint(
                *("POST", "/v1/jobs", self.submit, WRITE, "Submit one job, or up to 1,000", submitted),
                takes_jobs=True,
                problems=("invalid_json", *problems),
            ),
            Endpoint(
                *("GET", job, self.show, READ, "Show a job", {200: (JobAnswer,)}),
                query=(TENANT,),
                problems=("not_found",),
            ),
            Endpoint(
                *("DELETE", job, self.cancel, WRITE, "Cancel a job", {200: (CancelAnswer,), 202: (CancelAnswer,)}),
                query=(TENANT,),
                problems=("not_found", "already_ended"),
            ),
            Endpoint(
                *(
                    "GET",
                    f"{job}/timeline",
                    self.timeline,
                    READ,
                    "Show what happened to a job",
                    {200: (TimelineAnswer,)},
                ),
                query=(TENANT,),
                problems=("not_found",),
            ),
            Endpoint(
                *("GET", f"{job}/result", self.result, READ, "Get the result of a job, or wait for it"),
                {200: (Result,), 202: (JobAnswer,)},
                query=(TENANT, wait),
                problems=("not_found", "result_gone"),
            ),
        )

    async def submit(self, request: Request, grant: ApiGrant) -> Response:
        """`POST /v1/jobs`."""
        check_names(request.query_params.multi_items(), ())
        async with self._bodies.json(request, grant.tenant_id or FLEET) as untrusted_body:
            texts = job_texts(untrusted_body, grant)
            sent = [job.text for job in texts.jobs if job.problem is None]
            outcomes = await self._calls.run(self._submission.submit(sent)) if sent else []
        return _submitted(texts, outcomes)

    async def show(self, request: Request, grant: ApiGrant) -> Response:
        """`GET /v1/jobs/{job_id}`."""
        ref, _ = self._job(request, grant)
        return json_response(job_answer(await self._details(ref)))

    async def timeline(self, request: Request, grant: ApiGrant) -> Response:
        """`GET /v1/jobs/{job_id}/timeline`."""
        ref, _ = self._job(request, grant)
        return json_response(timeline_answer(await self._details(ref)))

    async def cancel(self, request: Request, grant: ApiGrant) -> Response:
        """`DELETE /v1/jobs/{job_id}`."""
        ref, _ = self._job(request, grant)
        reply = await self._calls.run(self._inspection.cancel(ref))
        answer = cancel_answer(ref.job_id, ref.tenant_id, reply)
        if answer is not None:
            if self._decisions is not None:
                self._decisions.record(
                    "api.cancel", str(ref), outcome=answer.outcome, detail={"token_id": grant.token_id}
                )
            return json_response(answer, 200 if answer.outcome == "cancelled" else 202)
        if reply == "finished":
            raise ApiProblem("already_ended", "The job has ended, or only its result is left to be written")
        raise ApiProblem(
            "not_found", "The queue does not know the job, and remembers no more cancellations of this tenant"
        )

    async def result(self, request: Request, grant: ApiGrant) -> Response:
        """`GET /v1/jobs/{job_id}/result`."""
        ref, values = self._job(request, grant, "wait")
        seconds = seconds_of(values, "wait", self._max_wait_seconds)
        waiting = self._waits.result(ref, seconds)
        found = await (while_connected(request.receive, waiting) if seconds else waiting)
        if found is not None:
            return _result(found)
        details = await self._details(ref)
        if details.state == "ended":  # its result may have come since the look above
            if (found := await self._calls.run(self._inspection.result(ref))) is not None:
                return _result(found)
            raise ApiProblem("result_gone", "The job has ended. `results.ttl_seconds` have passed since")
        response = json_response(job_answer(details), 202)
        response.headers["Retry-After"] = f"{LOOK_AGAIN_SECONDS:.0f}"
        return response

    def _job(self, request: Request, grant: ApiGrant, *fields: str) -> tuple[JobRef, dict[str, str]]:
        values = check_names(request.query_params.multi_items(), (TENANT.name, *fields))
        return job_of(grant, request.path_params["job_id"], values.get(TENANT.name)), values

    async def _details(self, ref: JobRef) -> JobDetails:
        details = await self._calls.run(self._inspection.details(ref))
        if details is None:
            raise nothing_there()
        return details


def _result(text: bytes) -> Response:
    return Response(text, headers={"Cache-Control": "no-store"}, media_type=JSON)


def _submitted(texts: JobTexts, outcomes: Sequence[SubmittedJob | RejectedText]) -> Response:
    if texts.listed:
        return json_response(SubmittedList(submitted_answers(texts.jobs, outcomes)))
    (job,) = texts.jobs
    outcome = job.problem or next(iter(outcomes))
    if isinstance(outcome, RejectedText):
        outcome = problem_of_job(outcome)
    if isinstance(outcome, ApiProblem):
        raise outcome
    answer = submitted_answer(job, outcome)
    return json_response(answer, 202 if answer.status == "queued" else 200)
