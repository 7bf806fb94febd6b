"""`workerctl module run`: runs a module from its folder once, in the sandbox of a worker, without Redis."""

import datetime as dt
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import uvloop
from cyclopts import Parameter
from msgspec import structs

from pageworker_demo.run import cancel_on_signals
from pageworker_sandbox.signing import PackedBundle
from pageworker_sandbox.signing.manifest import FILE
from pageworker_supervisor.cli.connect import Config, settings_of
from pageworker_supervisor.cli.local_run import start_locally
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, show_json
from pageworker_supervisor.cli.payload import GivenPayload, read_payload
from pageworker_supervisor.cli.registry_access import registry_errors
from pageworker_supervisor.config.data_dir import data_dir_of
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.job import parse_job
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.input_schema.errors import PayloadInvalid
from pageworker_supervisor.input_schema.input_checks import check_payload
from pageworker_supervisor.local_worker import LOCAL_FOLDER, LocalSetup, local_worker
from pageworker_supervisor.registry.packing import pack
from pageworker_supervisor.telemetry.logs import log_for_author

JOB = "run"
"""Prefix of the job's id."""


def run_folder(
    folder: Path,
    *,
    payload: Annotated[str | None, Parameter(name=("--payload", "-p"), allow_leading_hyphen=True)] = None,
    tenant: str = "default",
    profile: str | None = None,
    timeout: float | None = None,
    artifacts: Annotated[Path, Parameter(name=("--artifacts", "-a"))] = Path("artifacts"),
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Run the module in a folder once, as a worker would: same sandbox, same egress policy. Needs no Redis.

    The command packs the module, signs it with a new key, verifies it and runs it. It publishes nothing, and leaves the
    module's version as it is. It uses the configuration file and the environment variables, but not the central
    configuration. It prints the result as JSON on stdout, and the module's log lines on stderr. There are no retries.
    The exit code is 0 if the module succeeded, else 1.

    Example: `workerctl module run acme.prices --payload '{"url": "https://example.com/"}'`.

    Parameters
    ----------
    folder
        Folder with a module.toml.
    payload
        Payload: JSON, or @FILE, or - for stdin. Default: input.example.json in the folder, else {}.
    tenant
        Tenant that the module runs for. The settings of a tenant may limit the hosts that its modules reach.
    profile
        Browser profile, kept for the next run on this host. Profiles of the worker are never used. Default: no profile.
    timeout
        Seconds that the module may take. Default: as in module.toml, else `jobs.timeout_seconds`.
    artifacts
        Folder for screenshots and other files of the module. It is created with the first file.
    """
    settings = settings_of(config)
    with _ended_by_errors():
        packed = pack(folder)
        given = read_payload(payload, folder)
        text = _job_text(packed, given, tenant, profile, timeout)
        _check_payload(packed, given, folder)
        data_dir = None if profile is None else data_dir_of(settings) / LOCAL_FOLDER
        log_for_author(sys.stderr)
        with start_locally(_for_one_run(settings, artifacts), data_dir) as setup:
            result = uvloop.run(_run_once(packed, text, setup))
    show_json(result, json)
    return CommandExit.DONE if msgspec.json.decode(result)["status"] == "succeeded" else CommandExit.FAILED


def _job_text(
    packed: PackedBundle, given: GivenPayload, tenant: str, profile: str | None, timeout: float | None
) -> bytes:
    job = {
        "job_id": f"{JOB}-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S.%f}",
        "tenant_id": tenant,
        "endpoint_module": f"{packed.name}@{packed.version}",
        "payload": msgspec.Raw(given.text.encode()),
        "profile_id": profile,
        "timeout_seconds": timeout,
        "max_retries": 0,
    }
    text = msgspec.json.encode({name: value for name, value in job.items() if value is not None})
    try:
        parse_job(text)
    except ContractError as error:
        where = f"{given.source}: " if error.field.partition(".")[0] == "payload" else ""
        raise CommandError(printable(f"{where}{error}")) from error
    return text


def _check_payload(packed: PackedBundle, given: GivenPayload, folder: Path) -> None:
    try:
        check_payload(packed.input_schema, given.text.encode())
    except PayloadInvalid as invalid:
        lines = "\n".join(f"  {line}" for line in given.explain(invalid))
        raise CommandError(
            f"the payload does not match the module's input schema:\n{lines}",
            f"Correct the payload, or `input` in {folder / FILE}.",
        ) from invalid


def _for_one_run(settings: Settings, artifacts: Path) -> Settings:
    """The worker's settings, with one runner and one page."""
    return structs.replace(
        settings,
        pool=structs.replace(settings.pool, runners=1, pages=1),
        artifacts=structs.replace(settings.artifacts, url=artifacts.absolute().as_uri()),
    )


async def _run_once(packed: PackedBundle, text: bytes, setup: LocalSetup) -> bytes:
    cancel_on_signals()
    async with local_worker(setup) as worker:
        await worker.publish(packed)
        return await worker.run(text)


@contextmanager
def _ended_by_errors() -> Iterator[None]:
    """Every error of the module, the payload or the host ends the command with exit code 1; a signal with 130."""
    try:
        with registry_errors():
            yield
    except CommandError as error:
        if error.exit_code is CommandExit.REFUSED:
            raise CommandError(str(error), error.mend) from error
        raise
