"""Dead letters as filters see them."""

import datetime as dt

from pageworker_supervisor.cli.dead_rows import row_of_letter
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.dead_letters import DeadLetter

NOW = dt.datetime.fromtimestamp(1000, dt.UTC)
REF = JobRef("acme", "17")


def letter(job: bytes) -> DeadLetter:
    return DeadLetter(
        id="0-1-0",
        job_id="17",
        tenant_id="acme",
        reason="failed",
        job=job,
        detail=b"",
        at_ms=940_000,
        retryable=True,
    )


def test_the_module_is_that_of_the_job() -> None:
    row = row_of_letter(letter(b'{"job_id":"17","endpoint_module":"shop.product@1.0.0","payload":{}}'), REF, NOW)
    assert (row.ref, row.module, row.state, row.status) == (REF, "shop.product@1.0.0", "ended", "failed")
    assert row.age_seconds == 60


def test_a_text_that_is_no_job_has_no_module() -> None:
    for text in (b"", b"[]", b'{"endpoint_module":1}', b"[" * 10_000):
        assert row_of_letter(letter(text), REF, NOW).module is None
