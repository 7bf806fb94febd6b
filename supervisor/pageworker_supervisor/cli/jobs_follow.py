"""`workerctl jobs follow`: prints what becomes of one job, until its result."""

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from pageworker_supervisor.cli.answers import JobChange
from pageworker_supervisor.cli.connect import Config, OpenQueue, open_queue
from pageworker_supervisor.cli.job_name import job_named
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, flush, show
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.queue.inspection import QueuedJobState

PAUSE_SECONDS = 0.25
"""Between two looks at the job's record. Nothing notifies of a claim."""
UNKNOWN_SECONDS = 1.0
"""A job that was just pushed is taken in by then."""


def follow(
    job: str,
    *,
    timeout_seconds: Annotated[float | None, Parameter(validator=Number(gt=0))] = None,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Print each change of the state of one job, until it has a result.

    Each line begins with the time at which the command saw the change: `workerctl jobs show --timeline` has the exact
    ones. The exit code is 0 if the job succeeded, 1 if it did not, and 5 if it has no result in time. A state that
    lasts less than a quarter of a second may not be seen. With --json, stdout gets one JSON object per line.
    Example: `workerctl jobs follow acme/17`.

    Parameters
    ----------
    job
        Name of the job, TENANT/ID.
    timeout_seconds
        Maximum seconds to wait for the result. Default: no limit.
    """
    ref = job_named(job)
    status = asyncio.run(_follow(config, ref, timeout_seconds, json))
    return CommandExit.DONE if status == "succeeded" else CommandExit.FAILED


async def _follow(config: Config, ref: JobRef, seconds: float | None, json: bool) -> str:
    async with open_queue(config) as opened:
        try:
            async with asyncio.timeout(seconds):
                async for change in changes(opened, ref):
                    text = " ".join(printable(word) for word in _words(change))
                    show(change, text, json)
                    flush()
                    if change.status is not None:
                        return change.status
        except TimeoutError:
            raise CommandError(
                f"no result of {ref} within {seconds:g} s", "Run the command again to go on.", CommandExit.DEADLINE
            ) from None
    raise AssertionError("the changes of a job end with its result")


async def changes(opened: OpenQueue, ref: JobRef) -> AsyncIterator[JobChange]:
    """The state of the job now, and each that is seen afterwards. The last one has a status. Raises CommandError."""
    inspection = opened.queue.inspection
    last: QueuedJobState | None = None
    known_until = time.monotonic() + UNKNOWN_SECONDS
    while True:
        progress = await inspection.progress(ref)
        result = None if progress is not None else await inspection.result(ref)
        if result is not None:
            told = msgspec.json.decode(result)
            used = len(told.get("attempts") or ())
            error = (told.get("error") or {}).get("type")
            yield _change(ref, "ended", told["status"], told.get("worker_id"), used, error)
            return
        if progress is not None and progress != last:
            yield _change(ref, progress.state, None, progress.worker_id, progress.attempts_used, progress.why)
        if progress is None and time.monotonic() > known_until:
            if last is None:
                what, mend = "the queue does not know this job", "A worker may not have taken it in yet (`pw:inbox`)."
            else:
                what, mend = "its result is not kept any more", "See `results.ttl_seconds`."
            raise CommandError(f"{ref}: {what}", mend)
        if progress is not None:
            known_until = time.monotonic() + UNKNOWN_SECONDS
            last = progress
        await asyncio.sleep(PAUSE_SECONDS)


def _change(ref: JobRef, state: str, status: str | None, worker: str | None, used: int, why: str | None) -> JobChange:
    now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    return JobChange(
        at=now,
        job_id=ref.job_id,
        tenant_id=ref.tenant_id,
        state=state,
        status=status,
        worker_id=worker,
        attempts_used=used,
        why=why,
    )


def _words(change: JobChange) -> list[str]:
    words = [change.at, change.state if change.status is None else change.status]
    if change.worker_id:
        words.append(f"on {change.worker_id}")
    words.append(f"attempts {change.attempts_used}")
    return [*words, f"({change.why})"] if change.why else words
