"""`workerctl submit`: pushes a job as a producer does."""

import asyncio
import sys
import time
import uuid
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from pageworker_author.attached_files import AttachedFile, AttachInvalid, attached_files
from pageworker_supervisor.cli.answers import PushedJob
from pageworker_supervisor.cli.attach import with_attached
from pageworker_supervisor.cli.audited import audited
from pageworker_supervisor.cli.config_change import settings_in_effect
from pageworker_supervisor.cli.connect import Config, open_queue
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, show, show_json
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.job import JobRef, Priority, parse_job
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.redis_client.router import root, shard_of

WAIT_MS = 2000


def submit(
    module: str | None = None,
    *,
    tenant: str = "default",
    payload: str = "{}",
    job_id: str | None = None,
    profile: str | None = None,
    priority: Priority = "normal",
    file: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    attach: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    wait: bool = False,
    wait_seconds: float = 120.0,
    timeout_seconds: Annotated[float | None, Parameter(show=False)] = None,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Push one job as a producer does. With --wait, also print its result.

    With --wait the exit code is 1 if the job did not succeed, and 5 if no result came in time.

    Example: `workerctl submit shop.product --tenant acme --payload '{"url": "https://shop.example/p/1"}' --wait`.

    Parameters
    ----------
    module
        Name of the module, or name@version. Required without --file.
    tenant
        Tenant that the job belongs to.
    payload
        Payload of the job, a JSON object.
    job_id
        Id of the job. Default: a new random id.
    profile
        Browser profile that the job uses. Default: no profile.
    priority
        Priority of the job within its tenant.
    file
        File with a whole job as JSON, in place of the options above; `-` reads stdin.
    attach
        File to send along, as NAME=PATH, e.g. `claim.pdf=./scan.pdf`. The module gets it by
        `helpers.file("claim.pdf")`. It is stored as an upload of the API is. Give it several times for several files.
    wait
        Wait for the result and print it.
    wait_seconds
        Maximum seconds to wait for the result.
    timeout_seconds
        The old name of `wait_seconds`. It works until 1.0.
    """
    if timeout_seconds is not None:
        wait_seconds = timeout_seconds
    text = _job_text(module, tenant, payload, job_id, profile, priority) if file is None else _read(file)
    try:
        job, files = parse_job(text), attached_files(attach)
    except (ContractError, AttachInvalid) as error:
        raise CommandError(str(error), exit_code=CommandExit.USAGE) from error
    result = asyncio.run(_push(config, text, job.ref, wait_seconds if wait else None, files))
    if not wait:
        show(PushedJob(job.job_id, job.tenant_id), str(job.ref), json)
        return CommandExit.DONE
    if result is None:
        raise CommandError(
            f"no result of {job.ref} within {wait_seconds:g} s",
            f"`workerctl jobs --tenant {job.tenant_id}` shows where it is.",
            CommandExit.DEADLINE,
        )
    show_json(result, json)
    return CommandExit.DONE if msgspec.json.decode(result)["status"] == "succeeded" else CommandExit.FAILED


def _job_text(
    module: str | None, tenant: str, payload: str, job_id: str | None, profile: str | None, priority: Priority
) -> bytes:
    if module is None:
        raise CommandError(
            "no module is named", "Name a module, or give a whole job as JSON with --file.", CommandExit.USAGE
        )
    try:
        body = msgspec.json.decode(payload)
    except msgspec.DecodeError as error:
        raise CommandError(
            f"--payload is not valid JSON: {error}",
            'Write it in single quotes: --payload \'{"url": "…"}\'',
            CommandExit.USAGE,
        ) from error
    job = {
        "job_id": job_id or uuid.uuid4().hex,
        "tenant_id": tenant,
        "endpoint_module": module,
        "payload": body,
        "priority": priority,
    }
    return msgspec.json.encode(job if profile is None else {**job, "profile_id": profile})


def _read(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}", exit_code=CommandExit.USAGE) from error


async def _push(
    config: Path | None, text: bytes, ref: JobRef, seconds: float | None, attached: tuple[AttachedFile, ...]
) -> bytes | None:
    async with open_queue(config) as (redis_client, queue, settings):
        if attached:
            text = await with_attached(text, ref.tenant_id, attached, settings)
        inbox = _inbox(await settings_in_effect(config, queue, settings), ref.tenant_id)
        stream = f"{root(settings.redis.prefix, shard_of(ref.tenant_id, settings.redis.shards))}:results"
        last = await _last_id(redis_client, stream)
        earlier = await _rejected(queue, ref)
        async with audited(queue, settings, "submit", str(ref)):
            await redis_client.ingress.send("RPUSH", inbox, text, key=inbox)
        if seconds is None:
            return None
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            result = await queue.inspection.result(ref)
            if result is not None and result != earlier:
                return result
            # The stream carries the results of all jobs. After each new entry, check whether our job has its result.
            news = await redis_client.send("XREAD", "BLOCK", WAIT_MS, "STREAMS", stream, last, key=stream, blocks=True)
            if news:
                last = await _last_id(redis_client, stream)
        return earlier


def _inbox(settings: Settings, tenant_id: str) -> str:
    common = f"{settings.redis.prefix}:inbox"
    if not settings.ingress.require_origin:
        return common
    if tenant_id not in settings.tenants:
        mend = f"Create it: `workerctl tenant create {tenant_id}`."
        raise CommandError(f"tenant {tenant_id} has no inbox: [tenants] does not name it", mend, CommandExit.REFUSED)
    return f"{common}:{tenant_id}"


async def _rejected(queue: QueueClient, ref: JobRef) -> bytes | None:
    """The result that a push of this id replaces. Only a rejected job has left its id free for another push."""
    result = await queue.inspection.result(ref)
    return result if result is not None and msgspec.json.decode(result)["status"] == "rejected" else None


async def _last_id(redis_client: RedisClient, stream: str) -> str:
    newest = await redis_client.send("XREVRANGE", stream, "+", "-", "COUNT", 1, key=stream)
    return newest[0][0].decode() if newest else "0"
