"""The job of a lease, as far as this version can read it."""

import pytest
from pw_leases import new_lease

from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.dispatch.readable_job import UNREADABLE_MODULE, readable_job

BODY = b'{"job_id": "j", "tenant_id": "acme", "endpoint_module": "shop.product"%b}'


@pytest.mark.parametrize(
    ("more", "module", "reads"), [(b"", "shop.product", True), (b', "later": 1', UNREADABLE_MODULE, False)]
)
def test_a_job_with_a_field_of_a_later_version_keeps_its_name(more: bytes, module: str, reads: bool) -> None:
    job, why_not = readable_job(new_lease(body=BODY % more), lambda *_: True)
    assert (job.ref, job.endpoint_module) == (JobRef("acme", "j"), module)
    assert (why_not is None) is reads
