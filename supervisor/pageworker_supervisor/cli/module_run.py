"""`workerctl module run`: runs a module from its folder once, in the sandbox of a worker, without Redis."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import uvloop
from cyclopts import Parameter

from pageworker_author.attached_files import AttachedFile, attached_files
from pageworker_author.local_job import for_one_page
from pageworker_demo.run import cancel_on_signals
from pageworker_sandbox.signing import PackedBundle
from pageworker_supervisor.cli.attach import with_attached
from pageworker_supervisor.cli.connect import Config, settings_of
from pageworker_supervisor.cli.local_job import author_errors, check_given, given_job
from pageworker_supervisor.cli.local_run import start_locally
from pageworker_supervisor.cli.output import CommandExit, Json, show_json
from pageworker_supervisor.cli.payload import read_payload
from pageworker_supervisor.config.data_dir import data_dir_of, own_path
from pageworker_supervisor.contract.job import parse_job
from pageworker_supervisor.local_worker import LOCAL_FOLDER, LocalSetup, local_worker
from pageworker_supervisor.registry.packing import pack
from pageworker_supervisor.telemetry.logs import log_for_author


def run_folder(
    folder: Path,
    *,
    payload: Annotated[str | None, Parameter(name=("--payload", "-p"), allow_leading_hyphen=True)] = None,
    tenant: str = "default",
    profile: str | None = None,
    timeout: float | None = None,
    attach: Annotated[tuple[str, ...], Parameter(negative=())] = (),
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
    attach
        File that the job brings along, as NAME=PATH, e.g. `claim.pdf=./scan.pdf`. The module gets it by
        `helpers.file("claim.pdf")`. Give it several times for several files.
    artifacts
        Folder for screenshots and other files of the module. It is created with the first file.
    """
    settings = settings_of(config)
    with author_errors():
        packed = pack(folder)
        given = read_payload(payload, folder)
        files = attached_files(attach)
        text = given_job(packed, given, tenant, profile, timeout)
        check_given(packed, given, folder)
        data_dir = None if profile is None else own_path(data_dir_of(settings), LOCAL_FOLDER, "profiles").parent
        log_for_author(sys.stderr)
        with start_locally(for_one_page(settings, artifacts), data_dir) as setup:
            result = uvloop.run(_run_once(packed, text, setup, tenant, files))
    show_json(result, json)
    return CommandExit.DONE if msgspec.json.decode(result)["status"] == "succeeded" else CommandExit.FAILED


async def _run_once(
    packed: PackedBundle, text: bytes, setup: LocalSetup, tenant: str, attached: tuple[AttachedFile, ...]
) -> bytes:
    cancel_on_signals()
    async with local_worker(setup) as worker:
        if attached:
            text = await with_attached(text, tenant, attached, setup.settings, worker.files)
        await worker.publish(packed)
        try:
            return await worker.run(text)
        finally:
            for file in parse_job(text).files:
                await worker.files.delete(tenant, file.file_id or "")
