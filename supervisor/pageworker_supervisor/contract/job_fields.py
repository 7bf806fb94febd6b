"""The fields of a job's log lines. Every line of a job has those that are known by then. Pure."""

import msgspec

from pageworker_supervisor.contract.job import Job, JobRef
from pageworker_supervisor.contract.job_errors import UNREADABLE


def job_fields(ref: JobRef) -> dict[str, str]:
    """The job's name: whole, and in parts."""
    return {"job": str(ref), "job_id": ref.job_id, "tenant_id": ref.tenant_id}


def fields_of_job(job: Job, trace_id: str) -> dict[str, str | None]:
    """What the job says itself. Version, proxy and runner follow when they are known."""
    return {**job_fields(job.ref), "trace_id": trace_id, "module": job.module_name}


class _LastAttempt(msgspec.Struct):
    proxy: str | None = None


class _ResultFields(msgspec.Struct):
    trace_id: str | None = None
    endpoint_module: str = ""
    module_version: str | None = None
    runner_id: str | None = None
    attempts: tuple[_LastAttempt, ...] = ()


_decoder = msgspec.json.Decoder(_ResultFields)


def fields_of_result(ref: JobRef, result: bytes | None) -> dict[str, str | None]:
    """What a stored result tells of its job: JSON of this worker, or of one of another release. None: no result."""
    try:
        found = _decoder.decode(result or b"{}")
    except UNREADABLE:
        return dict(job_fields(ref))
    return {
        **job_fields(ref),
        "trace_id": found.trace_id,
        "module": found.endpoint_module.partition("@")[0] or None,
        "module_version": found.module_version,
        "runner_id": found.runner_id,
        "proxy": found.attempts[-1].proxy if found.attempts else None,
    }
