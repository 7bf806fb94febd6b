"""Splits the body of `POST /v1/batches` into the batch and the texts of its jobs. Pure."""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from pageworker_supervisor.api.job_texts import MOST_JOBS, JobText, listed_texts, object_of
from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.contract.batch import BatchSpec, parse_batch
from pageworker_supervisor.contract.errors import ContractError


class OpenBatch(BatchSpec, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body. `jobs`: that are pushed with it, each as for `POST /v1/jobs`."""

    jobs: Annotated[tuple[Raw, ...], Meta(min_length=1, max_length=MOST_JOBS)] | None = None


class BatchTexts(Struct, frozen=True):
    """A batch to open, and the jobs to push with it."""

    spec: BatchSpec
    jobs: tuple[JobText, ...]


def batch_texts(untrusted_body: bytes, tenant_id: str) -> BatchTexts:
    """Raises ApiProblem."""
    fields = object_of(untrusted_body)
    listed = fields.pop("jobs", None)
    try:
        spec = parse_batch({name: msgspec.json.decode(value) for name, value in fields.items()})
    except ContractError as broken:
        raise ApiProblem(
            broken.type, str(broken), kind="batch_invalid", field=broken.field, hint=broken.hint
        ) from broken
    jobs = () if listed is None or bytes(listed) == b"null" else listed_texts(listed, tenant_id)
    return BatchTexts(spec, tuple(_of_batch(job, spec.batch_id) for job in jobs))


def _of_batch(job: JobText, batch_id: str) -> JobText:
    """The job with the id of this batch."""
    if job.problem is not None:
        return job
    fields = object_of(job.text)
    own = Raw(msgspec.json.encode(batch_id))
    if bytes(fields.setdefault("batch_id", own)) != bytes(own):
        detail = f"`batch_id`: is not {batch_id}, the batch that is opened with it"
        problem = ApiProblem("invalid_field", detail, kind="job_invalid", field="batch_id", hint="leave it out")
        return JobText(problem=problem, job_id=job.job_id, tenant_id=job.tenant_id)
    return msgspec.structs.replace(job, text=msgspec.json.encode(fields))
