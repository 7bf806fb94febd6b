"""The operations on batches: open, look, close, cancel, retry."""

import re

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from pageworker_supervisor.admin.operator_api import json_response
from pageworker_supervisor.api.batch_answers import (
    BatchAnswer,
    BatchCancelAnswer,
    BatchResultsAnswer,
    BatchRetryAnswer,
    batch_answer,
    results_answer,
)
from pageworker_supervisor.api.batch_texts import BatchTexts, OpenBatch, batch_texts
from pageworker_supervisor.api.endpoint import TENANT, Endpoint, QueryField
from pageworker_supervisor.api.grant import READ, WRITE, ApiGrant, tenant_of
from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.query import check_names, count_of
from pageworker_supervisor.api.redis_calls import RedisCalls
from pageworker_supervisor.api.request_body import RequestBodies
from pageworker_supervisor.api.submitted import submitted_answers
from pageworker_supervisor.contract.batch import BatchRef
from pageworker_supervisor.contract.job import JOB_ID
from pageworker_supervisor.intake.submission import JobSubmission
from pageworker_supervisor.queue.batches import Batches, BatchOpened

MOST_PER_PAGE = 1000
FULL_SECONDS = 60.0


class BatchEndpoints:
    """The handlers, over the queue."""

    def __init__(self, submission: JobSubmission, batches: Batches, calls: RedisCalls, bodies: RequestBodies) -> None:
        self._submission = submission
        self._batches = batches
        self._calls = calls
        self._bodies = bodies

    def table(self) -> tuple[Endpoint, ...]:
        """The operations."""
        one = "/v1/batches/{batch_id}"
        after = QueryField("after", "`next` of the page before.", {"type": "integer", "minimum": 0, "default": 0})
        count = QueryField(
            "count", "Jobs per page.", {"type": "integer", "minimum": 1, "maximum": MOST_PER_PAGE, "default": 1000}
        )
        body = ("invalid_json", "body_timeout", "body_too_large", "media_type")
        opened = {200: (BatchAnswer,), 201: (BatchAnswer,)}
        unknown, tenant = ("not_found",), (TENANT,)
        results = {200: (BatchResultsAnswer,)}
        return (
            Endpoint(
                *("POST", "/v1/batches", self.open, WRITE, "Open a batch, with up to 1,000 of its jobs", opened),
                query=tenant,
                takes=OpenBatch,
                problems=(*body, "not_found", "batch_exists", "batch_invalid", "batches_full"),
            ),
            Endpoint(*("GET", one, self.show, READ, "Show a batch", {200: (BatchAnswer,)}), tenant, problems=unknown),
            Endpoint(
                *("GET", f"{one}/results", self.results, READ, "List the jobs of a batch and how they ended", results),
                query=(TENANT, after, count),
                problems=unknown,
            ),
            Endpoint(
                *("POST", f"{one}/close", self.close, WRITE, "Add no further job to a batch", {200: (BatchAnswer,)}),
                query=tenant,
                problems=unknown,
            ),
            Endpoint(
                *("DELETE", one, self.cancel, WRITE, "Cancel the jobs of a batch that have not ended"),
                {200: (BatchCancelAnswer,)},
                query=tenant,
                problems=unknown,
            ),
            Endpoint(
                *("POST", f"{one}/retry", self.retry, WRITE, "Queue the failed jobs of a batch again"),
                {200: (BatchRetryAnswer,)},
                query=tenant,
                problems=unknown,
            ),
        )

    async def open(self, request: Request, grant: ApiGrant) -> Response:
        """`POST /v1/batches`."""
        values = check_names(request.query_params.multi_items(), (TENANT.name,))
        tenant_id = tenant_of(grant, values.get(TENANT.name))
        async with self._bodies.json(request, tenant_id) as untrusted_body:
            texts = batch_texts(untrusted_body, tenant_id)
            self._check_callback(texts, tenant_id)
            opened = await self._calls.run(self._batches.open(tenant_id, texts.spec))
            _check_opened(opened, texts.spec.batch_id)
            sent = [job.text for job in texts.jobs if job.problem is None]
            outcomes = await self._calls.run(self._submission.submit(sent)) if sent else []
        answer = await self._shown(BatchRef(tenant_id, texts.spec.batch_id))
        if texts.jobs:
            answer = msgspec.structs.replace(answer, jobs=submitted_answers(texts.jobs, outcomes))
        return json_response(answer, 201 if opened == "opened" else 200)

    async def show(self, request: Request, grant: ApiGrant) -> Response:
        """`GET /v1/batches/{batch_id}`."""
        ref, _ = _batch(request, grant)
        return json_response(await self._shown(ref))

    async def results(self, request: Request, grant: ApiGrant) -> Response:
        """`GET /v1/batches/{batch_id}/results`."""
        ref, values = _batch(request, grant, "after", "count")
        after, count = values.get("after", "0"), count_of(values, "count", MOST_PER_PAGE)
        if not re.fullmatch(r"[0-9]{1,9}", after, re.ASCII):
            raise ApiProblem("invalid_request", "`after` is the number that the page before gave", field="after")
        await self._shown(ref)
        return json_response(results_answer(await self._calls.run(self._batches.jobs(ref, int(after), count))))

    async def close(self, request: Request, grant: ApiGrant) -> Response:
        """`POST /v1/batches/{batch_id}/close`."""
        ref, _ = _batch(request, grant)
        await self._calls.run(self._batches.close(ref))
        return json_response(await self._shown(ref))

    async def cancel(self, request: Request, grant: ApiGrant) -> Response:
        """`DELETE /v1/batches/{batch_id}`."""
        ref, _ = _batch(request, grant)
        done = await self._calls.run(self._batches.cancel(ref))
        if done is None:
            raise _no_batch()
        return json_response(BatchCancelAnswer(batch_id=ref.batch_id, tenant_id=ref.tenant_id, cancelled=done.count))

    async def retry(self, request: Request, grant: ApiGrant) -> Response:
        """`POST /v1/batches/{batch_id}/retry`."""
        ref, _ = _batch(request, grant)
        done = await self._calls.run(self._batches.retry(ref))
        if done is None:
            raise _no_batch()
        return json_response(
            BatchRetryAnswer(batch_id=ref.batch_id, tenant_id=ref.tenant_id, queued=done.queued, left=done.left)
        )

    async def _shown(self, ref: BatchRef) -> BatchAnswer:
        view = await self._calls.run(self._batches.show(ref))
        if view is None:
            raise _no_batch()
        return batch_answer(view)

    def _check_callback(self, texts: BatchTexts, tenant_id: str) -> None:
        url = texts.spec.callback_url
        if url is not None and (refused := self._submission.callback_refusal(url, tenant_id)) is not None:
            code, rule, hint = refused
            raise ApiProblem(code, f"`callback_url`: {rule}", kind="batch_invalid", field="callback_url", hint=hint)


def _batch(request: Request, grant: ApiGrant, *fields: str) -> tuple[BatchRef, dict[str, str]]:
    values = check_names(request.query_params.multi_items(), (TENANT.name, *fields))
    tenant_id, untrusted_id = tenant_of(grant, values.get(TENANT.name)), request.path_params["batch_id"]
    if not re.match(JOB_ID, untrusted_id):
        raise _no_batch()
    return BatchRef(tenant_id, untrusted_id), values


def _check_opened(opened: BatchOpened, batch_id: str) -> None:
    if opened == "exists":
        detail = f"Batch {batch_id} was opened with other parameters"
        raise ApiProblem("batch_exists", detail, field="batch_id", hint="choose another id, or repeat the parameters")
    if opened == "full":
        hint = "complete batches go when `results.ttl_seconds` have passed"
        raise ApiProblem("batches_full", "The tenant has too many batches", hint=hint, retry_after=FULL_SECONDS)


def _no_batch() -> ApiProblem:
    return ApiProblem("not_found", "There is no such batch")
