"""`workerctl jobs list`: lists and counts jobs in every state."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Annotated

from cyclopts import Parameter

from pageworker_supervisor.cli.answers import JobRow, JobTotals
from pageworker_supervisor.cli.connect import Config, open_queue
from pageworker_supervisor.cli.job_filter import ENDED, JobFilter
from pageworker_supervisor.cli.job_rows import MOST_LOOKED_AT, FoundJobs, find_jobs
from pageworker_supervisor.cli.output import Count, Json, note, put, show, table

HEADS = ("JOB", "MODULE", "STATE", "PRIORITY", "WORKER", "AGE", "REQUESTS", "BYTES IN", "BYTES OUT", "WHY")


def list_jobs(
    *,
    wanted: JobFilter | None = None,
    all_states: Annotated[bool, Parameter(name="--all", negative=())] = False,
    count: Count = 50,
    cursor: str | None = None,
    count_only: Annotated[bool, Parameter(negative=())] = False,
    names: Annotated[bool, Parameter(negative=())] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """List jobs: those that have no result yet, or ended ones.

    The column WHY names the limit that a queued job waits for, such as `throttled: fleet concurrency`, or says why a
    worker deferred the job. For an ended job it is the type of its error, or what blocked it. Requests and bytes are
    those of all attempts of the job. Those of a running attempt are up to 15 s old; `workerctl status` has newer ones.

    Ended jobs are listed with --all, --state ended, --status or --blocker. They come from the streams of results, so a
    job is found as long as its result is one of the newest `results.stream_length`. AGE is the time since the first
    push, and for ended jobs the time since the end. --since and --until count the same way.

    Example: `workerctl jobs list --tenant acme --state delayed`, or `workerctl jobs --blocker captcha --since 2h`.

    Parameters
    ----------
    all_states
        List jobs without a result and ended jobs.
    count
        Maximum number of jobs to list.
    cursor
        Continue an earlier list: the cursor that it printed on stderr because there were more jobs.
    count_only
        Print only how many jobs there are in each state. --count does not limit it.
    names
        Print only names of jobs, one per line, as input for --names-from.
    """
    chosen = wanted or JobFilter()
    most = MOST_LOOKED_AT if count_only else count
    found = asyncio.run(_read(config, chosen, chosen.states(all_states=all_states), most, cursor))
    totals = _totals(found)
    if count_only:
        lines = [*sorted(totals.by_state.items()), ("total", totals.total)]
        show(totals, table(("STATE", "JOBS"), lines), json)
    elif names and not json:
        put("\n".join(str(row.ref) for row in found.rows))
    else:
        show(found.rows, table(HEADS, map(line_of, found.rows)), json)
        if not json:
            note(summary(totals))
    if found.cursor is not None:
        note(f"There are more jobs. Go on with --cursor '{found.cursor}'")
    elif not found.complete:
        note("There are more ended jobs. List older ones with --until, or raise --count.")


def line_of(row: JobRow) -> tuple[object, ...]:
    """The columns of one job."""
    return (
        *(row.ref, row.module or "-", _state(row), row.priority or "-", row.worker_id or "-"),
        *(f"{row.age_seconds:.0f} s", row.requests, row.bytes_in, row.bytes_out),
        row.why or row.blocker or row.error or "-",
    )


def summary(totals: JobTotals) -> str:
    """One line with the numbers by state."""
    parts = ", ".join(f"{number} {state}" for state, number in sorted(totals.by_state.items()))
    return f"{totals.total} jobs" + (f": {parts}" if parts else "")


def _state(row: JobRow) -> str:
    return row.status or row.state if row.state == ENDED else row.state


def _totals(found: FoundJobs) -> JobTotals:
    return JobTotals(total=len(found.rows), by_state=_numbers(found.rows), complete=found.complete)


def _numbers(rows: Iterable[JobRow]) -> dict[str, int]:
    return dict(Counter(map(_state, rows)))


async def _read(config: Config, wanted: JobFilter, states: frozenset[str], count: int, cursor: str | None) -> FoundJobs:
    async with open_queue(config) as opened:
        return await find_jobs(opened, wanted, states, count, cursor)
