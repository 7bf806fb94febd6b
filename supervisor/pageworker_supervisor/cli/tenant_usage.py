"""`workerctl tenant usage`: what the jobs of a tenant used, hour by hour."""

import asyncio
import csv
import io
from typing import Annotated

from cyclopts import Parameter

from pageworker_supervisor.cli.connect import Config, open_queue
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, put, show, table
from pageworker_supervisor.cli.paused_name import paused_name
from pageworker_supervisor.contract.utc_time import utc_text
from pageworker_supervisor.queue.usage import DAY_SECONDS, KEPT_DAYS, OUTCOMES, UsageHour

USED = ("page_seconds", "requests", "bytes_in", "bytes_out")


def usage(
    name: str,
    *,
    days: int = 1,
    csv_: Annotated[
        bool, Parameter(name="--csv", negative=(), help="Print comma-separated values, with a line of names.")
    ] = False,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Show what the jobs of a tenant used, by the hour (UTC) in which they ended.

    Page-seconds, requests and bytes are those of all attempts together, as `usage` in the result of each job. Hours in
    which no job ended are left out. Jobs that intake rejected are not counted. Hours are kept for 400 days.

    Example: `workerctl tenant usage acme --days 7 --csv`.

    Parameters
    ----------
    name
        The tenant's id.
    days
        Number of days, today included: 1 to 400.
    """
    tenant = paused_name("tenant", name)
    if not 1 <= days <= KEPT_DAYS:
        raise CommandError(f"--days is not from 1 to {KEPT_DAYS}", exit_code=CommandExit.USAGE)
    if csv_ and json:
        raise CommandError("--csv and --json exclude each other", exit_code=CommandExit.USAGE)

    async def read() -> list[UsageHour]:
        async with open_queue(config) as (redis_client, queue, _):
            # The hours are those of Redis' clock.
            seconds, _microseconds = await redis_client.send("TIME", key=f"{queue.prefix}:{{0}}")
            today = int(seconds) // DAY_SECONDS
            return await queue.usage.read(tenant, today - days + 1, days)

    rows = asyncio.run(read())
    heads = ("hour", *USED, *OUTCOMES)
    if csv_:
        put(_csv(("tenant_id", *heads), [(tenant, *_columns(row)) for row in rows]))
    else:
        show(rows, table([head.upper() for head in heads], [_columns(row) for row in rows]), json)
    return CommandExit.DONE


def _columns(row: UsageHour) -> tuple[object, ...]:
    used = [getattr(row, name) for name in USED]
    return (utc_text(row.hour, "%Y-%m-%dT%H:%M:%SZ"), *used, *(row.jobs.get(name, 0) for name in OUTCOMES))


def _csv(heads: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    """RFC 4180, with the line ends of this system."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([heads, *rows])
    return text.getvalue().rstrip("\n")
