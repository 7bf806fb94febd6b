"""`workerctl module dev`: runs a module from its folder on each save, on a warm page of the sandbox of a worker."""

import asyncio
import itertools
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import uvloop
from cyclopts import Parameter

from pageworker_author.derived_bundle import derive, numbered_version
from pageworker_author.folder_watch import FolderWatch
from pageworker_author.local_job import for_one_page
from pageworker_author.run_report import report
from pageworker_author.secret_values import GivenSecrets, SecretFileUnusable, read_values, with_file
from pageworker_demo.run import cancel_on_signals
from pageworker_sandbox.signing import PackedBundle
from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.cli.connect import Config, settings_of
from pageworker_supervisor.cli.local_job import author_errors, check_given, given_job
from pageworker_supervisor.cli.local_run import start_locally
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, complain, flush, note, put, show_json
from pageworker_supervisor.cli.payload import read_payload
from pageworker_supervisor.config.data_dir import data_dir_of
from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.contract.result import Result
from pageworker_supervisor.local_worker import LOCAL_FOLDER, LocalRunFailed, LocalSetup, LocalWorker, local_worker
from pageworker_supervisor.registry.packing import pack
from pageworker_supervisor.telemetry.logs import log_for_author

ARTIFACTS = Path(".pageworker", "artifacts")
"""Below the module's folder. Hidden, so it is neither packed nor watched."""


def develop(
    folder: Path,
    *,
    payload: Annotated[str | None, Parameter(name=("--payload", "-p"), allow_leading_hyphen=True)] = None,
    secrets: Path | None = None,
    tenant: str = "default",
    profile: str | None = None,
    timeout: float | None = None,
    artifacts: Annotated[Path | None, Parameter(name=("--artifacts", "-a"))] = None,
    headed: Annotated[bool, Parameter(negative=())] = False,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Run the module in a folder, and again on each save: same sandbox, same egress policy as a worker. Needs no Redis.

    The browser stays warm between runs. A save ends a run that is not over. After each run the command prints how it
    ended, the lines of the module that raised an error with their text, and the paths of screenshots. The module's log
    lines appear on stderr while it runs. It publishes nothing: a run has the version VERSION-dev.NUMBER. Ctrl-C ends
    the command with exit code 0.

    Example: `workerctl module dev acme.prices --secrets local.toml`.

    Parameters
    ----------
    folder
        Folder with a module.toml.
    payload
        Payload: JSON, or @FILE. Default: input.example.json in the folder, else {}. A file is read for each run.
    secrets
        TOML file with the tables [secrets] and [proxies.NAME], of mode 0600. Its secrets are in place of those of the
        configuration, and every module may have those that its module.toml names. Proxies are read once.
    tenant
        Tenant that the module runs for.
    profile
        Browser profile, kept for the next run on this host. Profiles of a worker are never used. Default: no profile.
    timeout
        Seconds that the module may take. Default: as in module.toml, else `jobs.timeout_seconds`.
    artifacts
        Folder for screenshots and other files of the module. Default: .pageworker/artifacts in the module's folder,
        which is never packed.
    headed
        Show the browser. Not supported yet.
    """
    if headed:
        _refuse_headed()
    if payload == "-":
        raise CommandError("--payload - reads stdin once, and each run needs it", "Use --payload @FILE.")
    settings = settings_of(config)
    with author_errors():
        settings = _with_secrets(settings, secrets)
        data_dir = None if profile is None else data_dir_of(settings) / LOCAL_FOLDER
        log_for_author(sys.stderr)
        try:
            with start_locally(for_one_page(settings, artifacts or folder / ARTIFACTS), data_dir) as setup:
                loop = DevelopmentLoop(folder, DevelopmentOptions(payload, secrets, tenant, profile, timeout, json))
                uvloop.run(loop.run(setup))
        except KeyboardInterrupt:
            note("ended")
    return CommandExit.DONE


def _refuse_headed() -> None:
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise CommandError(
            "--headed needs a display: neither DISPLAY nor WAYLAND_DISPLAY is set", "Leave the option out."
        )
    raise CommandError(
        "--headed is not supported yet: the sandbox has no access to the display",
        "Leave the option out. A run that fails keeps a screenshot; helpers.trace() records what the page did.",
    )


def _with_secrets(settings: Settings, file: Path | None) -> Settings:
    if file is None:
        return settings
    try:
        return with_file(settings, file)
    except SecretFileUnusable as unusable:
        raise CommandError(printable(unusable), printable(unusable.mend)) from unusable


@dataclass(frozen=True)
class DevelopmentOptions:
    """The options of the command that count for each run."""

    payload: str | None
    secrets: Path | None
    tenant: str
    profile: str | None
    timeout: float | None
    json: bool


class DevelopmentLoop:
    """Runs a folder, waits for a change, and runs it again, until it is cancelled."""

    def __init__(self, folder: Path, options: DevelopmentOptions) -> None:
        self._folder = folder
        self._options = options
        self._values: dict[str, str] = {}
        payload = options.payload or ""
        beside = [Path(payload.removeprefix("@"))] if payload.startswith("@") else []
        self._watch = FolderWatch(folder, [*beside, *([options.secrets] if options.secrets else [])])

    async def run(self, setup: LocalSetup) -> None:
        """Ends by being cancelled: Ctrl-C and SIGTERM do it."""
        cancel_on_signals()
        backend = GivenSecrets(lambda name: self._values.get(name)) if self._options.secrets else None
        async with local_worker(setup.with_secrets(backend)) as worker, TaskGroup() as tasks:
            for number in itertools.count(1):
                before = self._watch.look()
                running = tasks.create_task(self._run_once(worker, number))
                change = tasks.create_task(self._watch.changed(before))
                await asyncio.wait((running, change), return_when=asyncio.FIRST_COMPLETED)
                if running.done():
                    note(f"Waiting for a change in {printable(self._folder)}. Ctrl-C ends.")
                else:
                    note("Changed: the run is ended, and the next one begins.")
                    running.cancel()
                    await asyncio.wait((running,))
                await change

    async def _run_once(self, worker: LocalWorker, number: int) -> None:
        """One run. What is wrong with the module, its payload or the host is printed: the next save may mend it."""
        try:
            packed, job = await asyncio.to_thread(self._prepare, number)
            await worker.publish(packed)
            result = await worker.run(job)
        except LocalRunFailed as failed:
            complain(f"the module was not run: {printable(failed)}")
        except CommandError as error:
            complain(str(error), error.mend)
        else:
            self._show(result, number)
        flush()

    def _prepare(self, number: int) -> tuple[PackedBundle, bytes]:
        options = self._options
        with author_errors():
            try:
                self._values = read_values(options.secrets) if options.secrets else {}
            except (SecretFileUnusable, ConfigInvalid) as unusable:
                raise CommandError(printable(unusable)) from unusable
            packed = pack(self._folder)
            packed = derive(packed, {"version": numbered_version(packed.version, number)})
            given = read_payload(options.payload, self._folder)
            job = given_job(packed, given, options.tenant, options.profile, options.timeout)
            check_given(packed, given, self._folder)
        return packed, job

    def _show(self, text: bytes, number: int) -> None:
        if self._options.json:
            show_json(text, True)
        else:
            result = msgspec.json.decode(text, type=Result)
            put(f"run {number}: {report(result, str(self._folder), self._line)}")

    def _line(self, file: str, number: int) -> str | None:
        try:
            return (self._folder / file).read_text().splitlines()[number - 1]
        except (OSError, UnicodeDecodeError, IndexError):
            return None
