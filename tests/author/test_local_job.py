"""The job of a local run is a valid job for exactly the version that was packed, and has one attempt."""

from pathlib import Path

import pytest
from pw_modules.author import packed

from pageworker_author.local_job import for_one_page, job_text
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.job import parse_job


def test_the_job_names_the_version() -> None:
    job = parse_job(job_text(packed(version="1.4.2-dev.3"), '{"url": "http://a.example/"}', timeout_seconds=3))
    assert (job.endpoint_module, job.max_retries, job.timeout_seconds) == ("shop.product@1.4.2-dev.3", 0, 3)
    assert (job.tenant_id, job.profile_id) == ("default", None)


def test_a_payload_that_is_no_object_is_refused() -> None:
    with pytest.raises(ContractError):
        job_text(packed(), "[]")


def test_there_is_one_page(tmp_path: Path) -> None:
    settings = for_one_page(Settings(), tmp_path)
    assert (settings.pool.runners, settings.pool.pages, settings.artifacts.url) == (1, 1, tmp_path.as_uri())
