"""Short words for jobs, places and ends."""

from collections.abc import Sequence
from typing import Any, Required, TypedDict

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.claim import Capacity, ContextCapacity, Lease
from pageworker_supervisor.queue.consumer import JobConsumer
from pageworker_supervisor.queue.producer import NewJob, QuotaLimits


class JobEnd(TypedDict, total=False):
    """What `JobConsumer.finish` takes, besides the lease."""

    status: Required[str]
    result: Required[bytes]
    callback: str | None
    dead_letter: bytes | None
    events: Sequence[bytes]


DONE = JobEnd(status="succeeded", result=b'{"status":"succeeded"}')


def ticket(job_id: str, tenant: str = "acme", **fields: Any) -> NewJob:
    """A job; `weight`, `concurrency`, `rate` and `burst` are its tenant's."""
    limits = QuotaLimits(
        weight=fields.pop("weight", 1.0),
        concurrency=fields.pop("concurrency", 1000),
        rate_per_second=fields.pop("rate", None),
        burst=fields.pop("burst", 100),
    )
    fields.setdefault("body", f'{{"job_id":"{job_id}","tenant_id":"{tenant}","endpoint_module":"m"}}'.encode())
    return NewJob(job_id=job_id, tenant_id=tenant, tenant_limits=limits, **fields)


def ref(job_id: str, tenant: str = "acme") -> JobRef:
    """The job's name."""
    return JobRef(tenant, job_id)


def everything(limit: int = 100) -> Capacity:
    """Capacity for any jobs."""
    return Capacity(limit=limit, runner_slots=limit, pages_per_runner=limit)


def places(*contexts: tuple[str, str | None, int], limit: int = 100, new: int = 0, pages: int = 4) -> Capacity:
    """Warm contexts, each (tenant, profile, free pages), and `new` runner slots."""
    held = [ContextCapacity(ContextKey(tenant, profile), free) for tenant, profile, free in contexts]
    return Capacity(limit=limit, contexts=held, runner_slots=new, pages_per_runner=pages)


async def finish_all(consumer: JobConsumer, leases: Sequence[Lease], end: JobEnd = DONE) -> bool:
    """End them in their order, all alike. Whether every lease was still held."""
    return all([await consumer.finish(lease, **end) for lease in leases])
