"""What this version reads of a job that was queued by another one."""

import json

from pw_leases import new_lease

from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.dispatch.outcome import UNREADABLE_MODULE
from pageworker_supervisor.dispatch.readable_job import readable_job

REF = JobRef("acme", "j1")
FIELDS = {"job_id": "j1", "tenant_id": "acme", "endpoint_module": "shop.product"}


def test_a_job_of_this_version_is_read() -> None:
    job, unreadable = readable_job(new_lease(ref=REF, body=json.dumps(FIELDS).encode()), lambda *_: True)
    assert (job.ref, job.endpoint_module, unreadable) == (REF, "shop.product", None)


def test_a_job_that_cannot_be_read_keeps_its_ids_and_says_why() -> None:
    lease = new_lease(ref=REF, body=json.dumps({**FIELDS, "from_the_future": 1}).encode())
    job, unreadable = readable_job(lease, lambda *_: True)
    assert (job.ref, job.endpoint_module) == (REF, UNREADABLE_MODULE)
    assert "from_the_future" in str(unreadable)
