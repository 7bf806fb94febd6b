"""`workerctl tenant usage`: what the jobs of a tenant used, hour by hour."""

import asyncio
from typing import Annotated

from cyclopts import Parameter

from pageworker_supervisor.cli.connect import Config, open_queue
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, put, show, table
from pageworker_supervisor.cli.paused_name import paused_name
from pageworker_supervisor.queue.usage import KEPT_DAYS, UsageHour
from pageworker_supervisor.queue.usage_table import COLUMNS, usage_columns, usage_csv


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
        async with open_queue(config) as (_redis_client, queue, _):
            return await queue.usage.last_days(tenant, days)

    rows = asyncio.run(read())
    if csv_:
        put(usage_csv(rows, "\n").rstrip("\n"))
    else:
        show(rows, table([head.upper() for head in COLUMNS], [usage_columns(row) for row in rows]), json)
    return CommandExit.DONE
