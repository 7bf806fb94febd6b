"""The job and the settings of a run on the author's host. Pure."""

import datetime as dt
from pathlib import Path

import msgspec
from msgspec import structs

from pageworker_sandbox.signing import PackedBundle
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.job import parse_job

PREFIX = "run"
"""Of the job's id."""


def job_text(
    packed: PackedBundle,
    payload: str,
    tenant: str = "default",
    profile: str | None = None,
    timeout_seconds: float | None = None,
) -> bytes:
    """The JSON of a job that runs this version once. `payload`: JSON text. Raises ContractError."""
    job = {
        "job_id": f"{PREFIX}-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S.%f}",
        "tenant_id": tenant,
        "endpoint_module": f"{packed.name}@{packed.version}",
        "payload": msgspec.Raw(payload.encode()),
        "profile_id": profile,
        "timeout_seconds": timeout_seconds,
        "max_retries": 0,
    }
    text = msgspec.json.encode({name: value for name, value in job.items() if value is not None})
    parse_job(text)
    return text


def for_one_page(settings: Settings, artifacts: Path) -> Settings:
    """The worker's settings, with one runner and one page. `artifacts`: the folder for files beside the result."""
    return structs.replace(
        settings,
        pool=structs.replace(settings.pool, runners=1, pages=1),
        artifacts=structs.replace(settings.artifacts, url=artifacts.absolute().as_uri(), link_secret=None),
        # What is attached is kept in the folder of the run.
        files=structs.replace(settings.files, url=None),
    )
