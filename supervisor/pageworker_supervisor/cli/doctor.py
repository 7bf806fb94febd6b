"""`workerctl doctor`: what this host needs, each thing really tried, and how to mend what fails."""

import asyncio
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from pageworker_sandbox.launch.checks import checks as host_checks
from pageworker_sandbox.signing import KeyUnusable
from pageworker_supervisor.cli.connect import Config, open_queue, settings_of
from pageworker_supervisor.cli.finding import Finding
from pageworker_supervisor.cli.host_findings import host_findings
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, show
from pageworker_supervisor.config.data_dir import data_dir_of
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.redis_client.embedded import find_server
from pageworker_supervisor.redis_client.errors import EmbeddedUnfit
from pageworker_supervisor.redis_client.preflight import preflight
from pageworker_supervisor.registry import load_trust

ROOM_BYTES = 2 * 1024**3


def doctor(*, config: Config = None, json: Json = False) -> CommandExit:
    """Look this host over: sandbox, browser, Redis, clock, keys, data folder. Ends with 1 where something fails."""
    settings = settings_of(config)
    findings = [
        *(
            Finding(c.name, c.ok, c.found, "" if c.ok else c.mend)
            for c in host_checks(settings.sandbox.python, settings.browser.executable)
        ),
        *_redis(settings, config),
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
        return [Finding("redis", True, f"none runs yet; the worker starts {find_server()} of its own")]
    except EmbeddedUnfit as unfit:
        return [Finding("redis", False, str(unfit), "apt install redis-server, or set redis.url")]


async def _ask_redis(config: Path | None) -> list[Finding]:
    async with open_queue(config) as (redis_client, _, _settings):
        return [Finding(c.name, c.ok, c.found, c.mend) for c in await preflight(redis_client)]


def _keys(settings: Settings) -> Finding:
    name = "trusted keys"
    try:
        keys = load_trust(settings.modules.trusted_keys).keys
    except KeyUnusable as unusable:
        return Finding(name, False, str(unusable), "name public keys: `workerctl key show NAME` prints one's line")
    if not keys:
        mend = "make one with `workerctl key new release` and put release.pub into modules.trusted_keys"
        return Finding(name, False, "none, so every module is refused", mend)
    return Finding(name, True, ", ".join(key.name for key in keys))


def _folder(settings: Settings) -> Finding:
    name = "data folder"
    try:
        folder = data_dir_of(settings)
    except OSError as error:
        return Finding(name, False, str(error), "set worker.data_dir to a folder that this user may write")
    free = shutil.disk_usage(folder).free
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding(name, False, f"{folder} may not be written", "change its owner, or set worker.data_dir")
    mend = "" if free >= ROOM_BYTES else "free some space: profiles and artifacts go there"
    return Finding(name, free >= ROOM_BYTES, f"{folder}, {free // 1024**2} MiB free", mend)


def _text(findings: list[Finding]) -> str:
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name:<{width}}  {printable(finding.found)}")
        if finding.mend:
            lines.append(f"{'':<{width + 6}}  → {printable(finding.mend)}")
    return "\n".join(lines)
