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
    fields = object_of(untrusted_body)
    if "jobs" not in fields:
        return JobTexts((_one(fields, grant.tenant_id),), listed=False)
    if other := next((name for name in fields if name != "jobs"), None):
        detail = f"`{other[:60]}` stands beside `jobs`"
        raise ApiProblem("invalid_request", detail, field=other[:60], hint="put it into each job")
    return JobTexts(listed_texts(fields["jobs"], grant.tenant_id), listed=True)


def object_of(untrusted_body: bytes) -> dict[str, Raw]:
    """The fields of a body. Raises ApiProblem."""
    if too_deep(untrusted_body):
        raise ApiProblem("invalid_json", f"The body is nested more than {MAX_TEXT_DEPTH} levels deep")
    try:
        return _fields.decode(untrusted_body)
    except msgspec.ValidationError:
        hint = '{"jobs": […]} holds several jobs'
        raise ApiProblem("invalid_json", "The body is no JSON object", hint=hint) from None
    except UNREADABLE as error:
        raise ApiProblem("invalid_json", f"The body cannot be read: {error}") from None


def listed_texts(untrusted_jobs: Raw, tenant_id: str | None) -> tuple[JobText, ...]:
    """The jobs of a list, for the tenant of the token. Raises ApiProblem."""
    try:
        elements = _elements.decode(untrusted_jobs)
    except UNREADABLE:
        raise ApiProblem("invalid_request", "`jobs` is no list", field="jobs") from None
    if not 1 <= len(elements) <= MOST_JOBS:
        detail = f"`jobs` has 1 to {MOST_JOBS} jobs, this one has {len(elements)}"
        raise ApiProblem("invalid_request", detail, field="jobs")
    return tuple(_element(element, tenant_id) for element in elements)


def _element(element: Raw, tenant_id: str | None) -> JobText:
    try:
        fields = _fields.decode(element)
    except UNREADABLE:
        return JobText(problem=ApiProblem("invalid_field", "This is no JSON object", kind="job_invalid"))
    return _one(fields, tenant_id)


def _one(fields: dict[str, Raw], tenant_id: str | None) -> JobText:
    job_id, named = _text(fields.get("job_id")), _text(fields.get("tenant_id"))
    if tenant_id is not None:
        if "tenant_id" not in fields:
            fields["tenant_id"] = Raw(msgspec.json.encode(tenant_id))
        elif named is not None and named != tenant_id:
            detail = f"The token is that of tenant {tenant_id}"
            problem = ApiProblem("tenant_mismatch", detail, field="tenant_id", hint="leave `tenant_id` out")
            return JobText(problem=problem, job_id=job_id)
    return JobText(msgspec.json.encode(fields), None, job_id, named or tenant_id)


def _text(value: Raw | None) -> str | None:
    try:
        return None if value is None else msgspec.json.decode(value, type=str)
    except UNREADABLE:
        return None
