"""`workerctl results`: results of jobs."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from pageworker_supervisor.cli.connect import Config, open_queue
from pageworker_supervisor.cli.job_name import job_named
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, show, show_json, table
from pageworker_supervisor.cli.results_follow import follow_results
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.redis_client.router import root

NEWEST = 20
USAGE = CommandExit.USAGE


def results(
    job: str | None = None,
    *,
    tenant: str | None = None,
    count: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    follow: Annotated[bool, Parameter(name=("--follow", "-f"), negative=())] = False,
    after: str | None = None,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Show the result of one job, or the newest results. With --follow, print new ones as they come.

    With --follow, the command prints one line per result until Ctrl-C, or until --count results. With --json, each line
    is an object with the result and `after`, the text that continues behind it. At its end the command prints that text
    on stderr. Without --after it begins with the next result.

    The exit code is 1 if the named job has no result. Example: `workerctl results acme/17`, or `workerctl results
    --follow --tenant acme`.

    Parameters
    ----------
    job
        Name of the job, TENANT/ID. Default: list the newest results of all jobs.
    tenant
        List only results of this tenant. Without --follow, they are chosen from the newest --count results of all
        tenants.
    count
        How many of the newest results of all tenants to read, 20 by default. With --follow: how many results to print.
    follow
        Print new results as they come.
    after
        Continue an earlier --follow: the text that it printed. Results that came meanwhile are printed first.
    """
    if follow:
        if job is not None:
            raise CommandError(
                "--follow is for all results", f"`workerctl jobs follow {printable(job)}` follows one job.", USAGE
            )
        asyncio.run(follow_results(config, tenant, count, after, json))
        return CommandExit.DONE
    if after is not None:
        raise CommandError("--after needs --follow", "Add --follow.", USAGE)
    if job is not None:
        ref = job_named(job)
        one = asyncio.run(_result(config, ref))
        if one is None:
            raise CommandError(
                f"there is no result of {ref}",
                "The job has not ended (`workerctl jobs`), or `results.ttl_seconds` have passed since it did.",
            )
        show_json(one, json)
        return CommandExit.DONE
    rows = [msgspec.json.decode(text) for text in asyncio.run(_newest(config, count or NEWEST))]
    chosen = [row for row in rows if tenant is None or row["tenant_id"] == tenant]
    show(chosen, table(("JOB", "MODULE", "STATUS", "TOTAL", "ERROR"), map(_line, chosen)), json)
    return CommandExit.DONE


async def _result(config: Path | None, ref: JobRef) -> bytes | None:
    async with open_queue(config) as (_, queue, _settings):
        return await queue.inspection.result(ref)


async def _newest(config: Path | None, count: int) -> list[bytes]:
    async with open_queue(config) as (redis_client, _, settings):
        found: list[tuple[bytes, bytes]] = []
        for shard in range(settings.redis.shards):
            stream = f"{root(settings.redis.prefix, shard)}:results"
            for entry, fields in await redis_client.send("XREVRANGE", stream, "+", "-", "COUNT", count, key=stream):
                pairs = fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))
                found.append((entry, pairs[b"result"]))
    return [text for _, text in sorted(found, reverse=True)[:count]]


def _line(row: dict[str, Any]) -> tuple[object, ...]:
    error = row.get("error") or {}
    total = f"{row.get('timing', {}).get('total', 0.0):.2f} s"
    module = row.get("endpoint_module") or "-"
    return (f"{row['tenant_id']}/{row['job_id']}", module, row["status"], total, error.get("type", "-"))
