"""Problem documents (RFC 9457): what the API answers in place of every error. Pure."""

import math
from collections.abc import Mapping

import msgspec
from msgspec import Struct
from starlette.responses import Response

from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.intake.admission import RejectedText

MEDIA_TYPE = "application/problem+json"
TYPE = "urn:pageworker:problem:"

PROBLEMS: Mapping[str, tuple[int, str]] = {
    "invalid_request": (400, "The request is not valid"),
    "invalid_json": (400, "The body is not valid JSON"),
    "token_missing": (401, "The request has no token"),
    "token_invalid": (401, "The token is not valid"),
    "scope_missing": (403, "The token does not permit this"),
    "tenant_mismatch": (403, "The job names another tenant than the token"),
    "link_invalid": (403, "The link is not valid"),
    "not_found": (404, "There is no such thing"),
    "method_not_allowed": (405, "The path does not have this method"),
    "body_timeout": (408, "The body did not arrive in time"),
    "already_ended": (409, "The job has ended"),
    "subscriptions_full": (409, "The tenant has as many subscriptions as it may have"),
    "batch_exists": (409, "There is another batch with this id"),
    "result_gone": (410, "The result is not kept any more"),
    "body_too_large": (413, "The body is too large"),
    "media_type": (415, "The body has another type than is taken"),
    "file_hash_mismatch": (422, "The file has another digest"),
    "file_empty": (422, "The file has no bytes"),
    "job_invalid": (422, "The job is not valid"),
    "subscription_invalid": (422, "The subscription is not valid"),
    "batch_invalid": (422, "The batch is not valid"),
    "rate_limited": (429, "The token sends requests too fast"),
    "queue_full": (429, "The tenant has as many jobs as it may have"),
    "batches_full": (429, "The tenant has as many batches as are kept"),
    "internal_error": (500, "pageworker failed: a bug"),
    "redis_unavailable": (503, "Redis does not answer"),
    "store_unavailable": (503, "The store does not answer"),
    "registry_unavailable": (503, "The modules cannot be read"),
    "overloaded": (503, "The API has too much to do"),
    "storage_full": (507, "The tenant has as many files as it may have"),
}
"""Each `code` with its status and title. A job that is not valid has the error type of a rejected job as its code, and
status and title of `job_invalid`. A batch likewise."""


class ProblemDocument(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body. `field`: the dotted path of the wrong field of the body or the query."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    field: str | None = None
    hint: str | None = None


class ApiProblem(Exception):
    """Ends a request with a problem document. `retry_after`: seconds until the request may succeed. `kind`: whose
    status and title it has, if not those of its code."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        kind: str = "",
        field: str = "",
        hint: str = "",
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code, detail)
        status, title = PROBLEMS[kind or code]
        self.document = ProblemDocument(
            type=TYPE + code,
            title=title,
            status=status,
            code=code,
            detail=printable(detail),
            field=printable(field) if field else None,
            hint=printable(hint) if hint else None,
        )
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))

    def response(self) -> Response:
        """The answer."""
        body = msgspec.json.encode(self.document) + b"\n"
        headers = {"Cache-Control": "no-store", **self.headers}
        return Response(body, self.document.status, headers, media_type=MEDIA_TYPE)


FULL_SECONDS = 5.0
"""After which a tenant with a full backlog may try again. How long its jobs take is not known here."""
JOB_CODES = {"invalid_json": "invalid_field"}
"""The text of a job is JSON here: a part of it is wrong."""


def problem_of_job(rejected: RejectedText) -> ApiProblem:
    """Why a job was not queued."""
    if rejected.type == "queue_full":
        return ApiProblem("queue_full", rejected.reason, hint=rejected.hint, retry_after=FULL_SECONDS)
    code = JOB_CODES.get(rejected.type, rejected.type)
    return ApiProblem(code, rejected.reason, kind="job_invalid", field=rejected.field, hint=rejected.hint)
