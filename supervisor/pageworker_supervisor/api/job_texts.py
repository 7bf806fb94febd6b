"""Splits the body of `POST /v1/jobs` into the texts of jobs, each with its tenant. Pure."""

import msgspec
from msgspec import Raw, Struct

from pageworker_supervisor.api.grant import ApiGrant
from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.contract.job import too_deep
from pageworker_supervisor.contract.job_errors import MAX_TEXT_DEPTH, UNREADABLE

MOST_JOBS = 1000

_fields = msgspec.json.Decoder(dict[str, Raw])
_elements = msgspec.json.Decoder(list[Raw])


class JobText(Struct, frozen=True):
    """One job of a request. `problem`: why it goes no further; then `text` is empty. The names are as they were given,
    None where they are no text."""

    text: bytes = b""
    problem: ApiProblem | None = None
    job_id: str | None = None
    tenant_id: str | None = None


class JobTexts(Struct, frozen=True):
    """The jobs of one request. `listed`: they came as a list."""

    jobs: tuple[JobText, ...]
    listed: bool


def job_texts(untrusted_body: bytes, grant: ApiGrant) -> JobTexts:
    """One job object, or `{"jobs": […]}`. Raises ApiProblem for another body."""
    if too_deep(untrusted_body):
        raise ApiProblem("invalid_json", f"The body is nested more than {MAX_TEXT_DEPTH} levels deep")
    try:
        fields = _fields.decode(untrusted_body)
    except msgspec.ValidationError:
        hint = '{"jobs": […]} holds several jobs'
        raise ApiProblem("invalid_json", "The body is no JSON object", hint=hint) from None
    except UNREADABLE as error:
        raise ApiProblem("invalid_json", f"The body cannot be read: {error}") from None
    if "jobs" not in fields:
        return JobTexts((_one(fields, grant),), listed=False)
    if other := next((name for name in fields if name != "jobs"), None):
        detail = f"`{other[:60]}` stands beside `jobs`"
        raise ApiProblem("invalid_request", detail, field=other[:60], hint="put it into each job")
    try:
        elements = _elements.decode(fields["jobs"])
    except UNREADABLE:
        raise ApiProblem("invalid_request", "`jobs` is no list", field="jobs") from None
    if not 1 <= len(elements) <= MOST_JOBS:
        detail = f"`jobs` has 1 to {MOST_JOBS} jobs, this one has {len(elements)}"
        raise ApiProblem("invalid_request", detail, field="jobs")
    return JobTexts(tuple(_element(element, grant) for element in elements), listed=True)


def _element(element: Raw, grant: ApiGrant) -> JobText:
    try:
        fields = _fields.decode(element)
    except UNREADABLE:
        return JobText(problem=ApiProblem("invalid_field", "This is no JSON object", kind="job_invalid"))
    return _one(fields, grant)


def _one(fields: dict[str, Raw], grant: ApiGrant) -> JobText:
    job_id, named = _text(fields.get("job_id")), _text(fields.get("tenant_id"))
    if grant.tenant_id is not None:
        if "tenant_id" not in fields:
            fields["tenant_id"] = Raw(msgspec.json.encode(grant.tenant_id))
        elif named is not None and named != grant.tenant_id:
            detail = f"The token is that of tenant {grant.tenant_id}"
            problem = ApiProblem("tenant_mismatch", detail, field="tenant_id", hint="leave `tenant_id` out")
            return JobText(problem=problem, job_id=job_id)
    return JobText(msgspec.json.encode(fields), None, job_id, named or grant.tenant_id)


def _text(value: Raw | None) -> str | None:
    try:
        return None if value is None else msgspec.json.decode(value, type=str)
    except UNREADABLE:
        return None
