"""The job of a lease, as far as this version can read it. Pure."""

from collections.abc import Callable

from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.job import Job, parse_job
from pageworker_supervisor.dispatch.blocker_policy import job_after_blocker
from pageworker_supervisor.queue.claim import Lease

UNREADABLE = "another version queued this job, and this worker cannot read it: update the worker, or cancel the job"
UNREADABLE_MODULE = "unreadable.job"
"""In the result of a job that cannot be read and is cancelled or expires."""


def readable_job(lease: Lease, permits_proxy: Callable[[str, str], bool]) -> tuple[Job, ContractError | None]:
    """The job, changed as the policy after its last blocker says; and why this version cannot read it, or None.

    `permits_proxy`: whether a tenant may use a proxy policy. Of an unreadable job, only the name is known.
    """
    try:
        return job_after_blocker(parse_job(lease.body), lease, permits_proxy), None
    except ContractError as error:
        ref = lease.ref
        return Job(job_id=ref.job_id, tenant_id=ref.tenant_id, endpoint_module=UNREADABLE_MODULE), error
