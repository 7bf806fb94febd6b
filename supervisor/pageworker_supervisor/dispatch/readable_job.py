"""The job of a lease, as this version reads it. Pure."""

from collections.abc import Callable

from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.job import Job, parse_job
from pageworker_supervisor.dispatch.blocker_policy import job_after_blocker
from pageworker_supervisor.dispatch.outcome import UNREADABLE_MODULE
from pageworker_supervisor.queue.claim import Lease


def readable_job(lease: Lease, permits_proxy: Callable[[str, str], bool]) -> tuple[Job, ContractError | None]:
    """The job, changed as the policy after its last blocker says; and why this version cannot read it.

    `permits_proxy`: whether a tenant may use a proxy policy. What another version queued may be unreadable: then the
    job has its ids alone.
    """
    try:
        return job_after_blocker(parse_job(lease.body), lease, permits_proxy), None
    except ContractError as error:
        unreadable = Job(job_id=lease.ref.job_id, tenant_id=lease.ref.tenant_id, endpoint_module=UNREADABLE_MODULE)
        return unreadable, error
