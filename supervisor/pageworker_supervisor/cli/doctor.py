"""`workerctl doctor`: checks whether this host can run a worker, and says how to fix what fails."""

import asyncio
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pageworker_sandbox.launch.checks import checks as host_checks
from pageworker_sandbox.signing import KeyUnusable
from pageworker_supervisor.central.parameter_store import ParameterStore, ParameterStoreAway
from pageworker_supervisor.cli.connect import Config, open_queue, settings_of
from pageworker_supervisor.cli.doctor_size import measure_size
from pageworker_supervisor.cli.finding import Finding
from pageworker_supervisor.cli.host_findings import host_findings
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, show
from pageworker_supervisor.config.central_document import parameter_path
from pageworker_supervisor.config.data_dir import data_dir_of
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.redis_client.embedded import find_server
from pageworker_supervisor.redis_client.errors import EmbeddedUnfit
from pageworker_supervisor.redis_client.preflight import preflight
from pageworker_supervisor.registry import load_trust

MIN_FREE_BYTES = 2 * 1024**3
USAGE = CommandExit.USAGE


def doctor(
    *,
    audit: Annotated[
        bool,
        Parameter(
            negative=(),
            help="Also compare all keys of the queue in Redis with each other. Reads every job: slow on a long queue.",
        ),
    ] = False,
    size: Annotated[
        bool,
        Parameter(
            negative=(),
            help="Instead of the checks, measure memory and CPU of one runner for some seconds, and recommend "
            "pool.runners and pool.pages for this host. Stop the worker of this host first.",
        ),
    ] = False,
    url: Annotated[
        str | None, Parameter(help="With --size: the page to measure. Default: a page of pageworker.")
    ] = None,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Check whether this host can run a worker: sandbox, browser, fonts, Redis, clock, keys, data folder.

    Prints how to fix what fails. The exit code is 1 if a check fails.
    """
    settings = settings_of(config)
    if size:
        if audit:
            raise CommandError("--size and --audit exclude each other", "Run them one after the other.", USAGE)
        show(*measure_size(settings, url), json)
        return CommandExit.DONE
    if url is not None:
        raise CommandError("--url needs --size", "Run `workerctl doctor --size --url URL`.", USAGE)
    findings = [
        *(
            Finding(c.name, c.ok, c.found, "" if c.ok else c.mend)
            for c in host_checks(settings.sandbox.python, settings.browser.executable, settings.browser.flavor)
        ),
        *_redis(settings, config),
        *_parameters(settings),
        *(asyncio.run(_audit(config)) if audit else ()),
        _keys(settings),
        _folder(settings),
        *host_findings(settings, data_dir_of(settings)),
    ]
    show(findings, _text(findings), json)
    return CommandExit.DONE if all(finding.ok for finding in findings) else CommandExit.FAILED


def _redis(settings: Settings, config: Path | None) -> Iterable[Finding]:
    try:
        return asyncio.run(_ask_redis(config))
    except CommandError as away:
        if settings.redis.url is not None:
            return [Finding("redis", False, str(away), away.mend)]
    try:
        return [Finding("redis", True, f"not running yet; the worker will start {find_server()}")]
    except EmbeddedUnfit as unfit:
        return [Finding("redis", False, str(unfit), "apt install redis-server, or set redis.url")]


def _parameters(settings: Settings) -> Iterable[Finding]:
    """Whether the Parameter Store can be read, if the central configuration is there."""
    path = parameter_path(settings.config.central)
    if path is None:
        return
    name = "central configuration"
    try:
        found = asyncio.run(ParameterStore(path).read())
    except ParameterStoreAway as away:
        yield Finding(name, False, str(away), away.mend)
    else:
        yield Finding(name, True, f"{len(found)} parameters below {path}")


async def _ask_redis(config: Path | None) -> list[Finding]:
    async with open_queue(config) as (redis_client, _, _settings):
        return [Finding(c.name, c.ok, c.found, c.mend) for c in await preflight(redis_client)]


async def _audit(config: Path | None) -> list[Finding]:
    name = "queue audit"
    try:
        async with open_queue(config) as (_, queue, _settings):
            problems = await queue.inspection.audit()
    except CommandError as away:
        return [Finding(name, False, str(away), away.mend)]
    mend = "please report this with the output of `workerctl doctor --audit`"
    return [Finding(name, False, problem, mend) for problem in problems] or [Finding(name, True, "all keys agree")]


def _keys(settings: Settings) -> Finding:
    name = "trusted keys"
    try:
        keys = load_trust(settings.modules.trusted_keys).keys
    except KeyUnusable as unusable:
        mend = "put public keys into modules.trusted_keys: `workerctl key show NAME` prints one"
        return Finding(name, False, str(unusable), mend)
    if not keys:
        mend = "create a key with `workerctl key new release`, and add release.pub to modules.trusted_keys"
        return Finding(name, False, "no key is trusted, so the worker refuses every module", mend)
    return Finding(name, True, ", ".join(key.name for key in keys))


def _folder(settings: Settings) -> Finding:
    name = "data folder"
    try:
        folder = data_dir_of(settings)
    except OSError as error:
        return Finding(name, False, str(error), "set worker.data_dir to a folder that this user may write to")
    free = shutil.disk_usage(folder).free
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding(name, False, f"{folder}: no permission to write", "change its owner, or set worker.data_dir")
    enough = free >= MIN_FREE_BYTES
    mend = "" if enough else f"free at least {MIN_FREE_BYTES // 1024**2} MiB: profiles and artifacts are stored there"
    return Finding(name, enough, f"{folder}, {free // 1024**2} MiB free", mend)


def _text(findings: list[Finding]) -> str:
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name:<{width}}  {printable(finding.found)}")
        if finding.mend:
            lines.append(f"{'':<{width + 6}}  → {printable(finding.mend)}")
    return "\n".join(lines)
