"""What commands print with `--json`."""

import msgspec

from pageworker_supervisor.cli.answers import BulkJob, CancelOutcome, JobRow, JobTotals
from pageworker_supervisor.contract.job import JobRef


def test_answers_about_a_job_name_it() -> None:
    assert BulkJob(job_id="17", tenant_id="acme", found="queued").ref == JobRef("acme", "17")
    assert JobRow(job_id="17", tenant_id="acme", module=None, state="queued").ref == JobRef("acme", "17")
    assert CancelOutcome("17", "acme", "cancelled").ref == JobRef("acme", "17")


def test_every_field_is_printed() -> None:
    """A script finds a field also where it has its default."""
    row = JobRow(job_id="17", tenant_id="acme", module=None, state="queued")
    assert set(msgspec.to_builtins(row)) == set(JobRow.__struct_fields__)
    assert msgspec.to_builtins(JobTotals(total=0, by_state={}, complete=True))["by_state"] == {}
