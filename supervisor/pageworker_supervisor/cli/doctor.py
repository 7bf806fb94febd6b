"""`workerctl doctor`: checks whether this host can run a worker, and says how to fix what fails."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pageworker_sandbox.launch.checks import checks as host_checks
from pageworker_supervisor.central.parameter_store import ParameterStore, ParameterStoreAway
from pageworker_supervisor.cli.connect import Config, open_queue, settings_of
from pageworker_supervisor.cli.doctor_size import measure_size
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, show
from pageworker_supervisor.config.central_document import parameter_path
from pageworker_supervisor.config.check_settings import CheckSettings
from pageworker_supervisor.config.data_dir import data_dir_of
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.proxies.reachability import reach
from pageworker_supervisor.queue.limits_comparison import differences
from pageworker_supervisor.redis_client.embedded import find_server
from pageworker_supervisor.redis_client.errors import EmbeddedUnfit
from pageworker_supervisor.redis_client.router import root
from pageworker_supervisor.self_checks.effects import mode_of
from pageworker_supervisor.self_checks.finding import Finding
from pageworker_supervisor.self_checks.host_findings import fixed_findings, host_findings
from pageworker_supervisor.self_checks.redis_findings import redis_findings, start_findings
from pageworker_supervisor.self_checks.redis_reading import read_all, read_server

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

    Example: `workerctl doctor --config pageworker.toml`.
    """
    settings = settings_of(config)
    if size:
        if audit:
            raise CommandError("--size and --audit exclude each other", "Run them one after the other.", USAGE)
        show(*measure_size(settings, url), json)
        return CommandExit.DONE
    if url is not None:
        raise CommandError("--url needs --size", "Run `workerctl doctor --size --url URL`.", USAGE)
    data_dir = _data_dir(settings)
    findings = [
        *(
            Finding(c.name, c.ok, c.found, "" if c.ok else c.mend)
            for c in host_checks(
                settings.sandbox.python, settings.browser.executable, settings.browser.flavor, settings.sandbox.require
            )
        ),
        *_redis(settings, config),
        *_parameters(settings),
        *_upstreams(settings),
        *(asyncio.run(_consistency(config)) if audit else ()),
        *_configured(settings.checks, host_findings(settings, data_dir)),
        *fixed_findings(settings, data_dir),
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


def _upstreams(settings: Settings) -> Iterable[Finding]:
    """Whether each upstream proxy accepts a connection. That their ports are permitted is a rule of the settings."""
    for one in asyncio.run(reach(settings.proxies)):
        name = f"proxy {one.policy}"
        mend = "start it, or take it out of `upstreams` in [proxies]" if one.problem else ""
        found = f"{one.upstream}: {one.problem}" if one.problem else f"{one.upstream} accepts connections"
        yield Finding(name, not one.problem, found, mend)


async def _ask_redis(config: Path | None) -> list[Finding]:
    async with open_queue(config, probed=False) as (redis_client, queue, settings):
        roots = [root(settings.redis.prefix, shard) for shard in range(settings.redis.shards)]
        reading = await read_all(redis_client, roots, embedded=settings.redis.url is None)
        ingress = None if redis_client.ingress is redis_client else await read_server(redis_client.ingress)
        limits = _limits(await queue.limits.brought())
    found = redis_findings(reading, replicated=bool(reading.survives), ingress=ingress)
    answers = Finding("redis answers", True, redis_client.safe_url)
    return [answers, limits, *_configured(settings.checks, [*found, *start_findings(reading)])]


def _limits(brought: Mapping[str, bytes]) -> Finding:
    """Whether the workers have the same limits. If not, that is no failure: one of the tables is in force for all."""
    lines = differences(brought)
    if not lines:
        return Finding("limits", True, f"the same on {', '.join(sorted(brought))}" if brought else "no worker is up")
    mend = "Give all workers the same [tenants], [domains] and [limits]; docs/operations.md says whose are in force."
    return Finding("limits", True, f"workers disagree. {'. '.join(lines)}", mend)


def _configured(checks: CheckSettings, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Findings as they are; of a check that is off, that alone."""
    for finding in findings:
        off = mode_of(checks, finding.name) == "off"
        yield Finding(finding.name, True, f'not checked: checks.{finding.name} is "off"') if off else finding


def _data_dir(settings: Settings) -> Path:
    try:
        return data_dir_of(settings)
    except OSError as error:
        mend = "Set worker.data_dir to a folder that this user may write to."
        raise CommandError(printable(f"data folder: {error}"), mend) from error


async def _consistency(config: Path | None) -> list[Finding]:
    name = "consistency check"
    try:
        async with open_queue(config) as (_, queue, _settings):
            problems = await queue.inspection.check_consistency()
    except CommandError as away:
        return [Finding(name, False, str(away), away.mend)]
    mend = "please report this with the output of `workerctl doctor --audit`"
    return [Finding(name, False, problem, mend) for problem in problems] or [Finding(name, True, "all keys agree")]


def _text(findings: list[Finding]) -> str:
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        word = ("ok  " if finding.known else "??  ") if finding.ok else "FAIL"
        lines.append(f"{word}  {finding.name:<{width}}  {printable(finding.found)}")
        if finding.mend:
            lines.append(f"{'':<{width + 6}}  → {printable(finding.mend)}")
    return "\n".join(lines)
