"""`workerctl jobs show`: one job now, and its way through queue and workers."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from pageworker_supervisor.cli import timeline as lines
from pageworker_supervisor.cli.connect import Config, open_queue
from pageworker_supervisor.cli.job_name import job_named
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, show, table
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.utc_time import utc_time
from pageworker_supervisor.queue.job_details import JobDetails


def show_job(job: str, *, timeline: bool = False, config: Config = None, json: Json = False) -> CommandExit:
    """Show one job: where it is, or how it ended.

    The exit code is 1 if nothing is known of the job. A job is known from its push until `results.ttl_seconds` after
    its end. With --json, `history` is empty without --timeline. Example: `workerctl jobs show acme/17 --timeline`.

    Parameters
    ----------
    job
        Name of the job, TENANT/ID.
    timeline
        Show every transition of the job: its time, worker, lease and attempt, what the attempt used, and what happened
        to the callback.
    """
    ref = job_named(job)
    found = asyncio.run(_read(config, ref))
    if found is None:
        raise CommandError(
            f"nothing is known of {ref}",
            "No job with this id was taken in, or `results.ttl_seconds` have passed since it ended. It may still be in"
            " the inbox; `workerctl dead list` has texts that were no jobs.",
        )
    found = msgspec.structs.replace(found, history=tuple(lines.completed(found)) if timeline else ())
    text = table(("FIELD", "VALUE"), _facts(found))
    if timeline:
        rows = table(lines.HEADS, lines.rows(found.history))
        text += f"\n\n{rows if found.history else 'No history of this job is kept.'}"
    show(found, text, json)
    return CommandExit.DONE


async def _read(config: Path | None, ref: JobRef) -> JobDetails | None:
    async with open_queue(config) as (_, queue, _settings):
        return await queue.inspection.details(ref)


def _facts(details: JobDetails) -> list[tuple[str, object]]:
    fields: dict[str, Any] = msgspec.to_builtins(details)
    rows: list[tuple[str, object]] = []
    for name, value in fields.items():
        if value is None or value is False or name == "history":
            continue
        if name == "progress":
            rows.append((name, f"{value['number']}: {value['text']}"))
        elif name == "used":
            rows += [(key.replace("_", " "), text) for key, text in value.items()]
        elif name.endswith("_at_ms"):
            at = utc_time(value / 1000)
            text = "?" if at is None else at.isoformat(timespec="milliseconds")
            rows.append((name.removesuffix("_ms").replace("_", " "), text))
        else:
            rows.append((name.replace("_", " "), value))
    return rows
