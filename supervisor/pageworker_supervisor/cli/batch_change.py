"""`workerctl batch close|cancel|retry`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

from msgspec import Struct

from pageworker_supervisor.cli.audited import Reason, audited
from pageworker_supervisor.cli.batch_name import batch_named, no_batch
from pageworker_supervisor.cli.connect import Config, open_queue
from pageworker_supervisor.cli.output import CommandExit, Json, show
from pageworker_supervisor.contract.batch import BatchRef
from pageworker_supervisor.queue.batches import Batches, BatchView

Action = Literal["close", "cancel", "retry"]


class BatchChange(Struct, frozen=True, kw_only=True):
    """What became of a batch. `jobs`: how many were cancelled, or queued again. `left`: how many failed jobs were not
    queued, because their dead letters are not kept. `batch`: after the command; null: it has gone meanwhile."""

    action: Action
    jobs: int = 0
    left: int = 0
    batch: BatchView | None = None


def close(batch: str, *, reason: Reason = None, config: Config = None, json: Json = False) -> CommandExit:
    """Let no further job into a batch. The batch is complete when all of its jobs have ended.

    Jobs that come later are rejected as `batch_closed`. The same command again changes nothing. The exit code is 1 if
    there is no such batch. The command needs Redis, but no worker. Example: `workerctl batch close acme/nightly`.

    Parameters
    ----------
    batch
        Name of the batch, TENANT/BATCH.
    """

    async def act(batches: Batches, ref: BatchRef) -> BatchChange | None:
        return BatchChange(action="close") if await batches.close(ref) else None

    return _run(batch, act, "close", reason, config, json=json)


def cancel(batch: str, *, reason: Reason = None, config: Config = None, json: Json = False) -> CommandExit:
    """Cancel the jobs of a batch that have not ended. The batch takes no more jobs.

    The same command again changes nothing. The exit code is 1 if there is no such batch. The command needs Redis,
    but no worker. Example: `workerctl batch cancel acme/nightly --reason "wrong prices"`.

    Parameters
    ----------
    batch
        Name of the batch, TENANT/BATCH.
    """

    async def act(batches: Batches, ref: BatchRef) -> BatchChange | None:
        done = await batches.cancel(ref)
        return None if done is None else BatchChange(action="cancel", jobs=done.count)

    return _run(batch, act, "cancel", reason, config, json=json)


def retry(batch: str, *, reason: Reason = None, config: Config = None, json: Json = False) -> CommandExit:
    """Queue the failed jobs of a batch again: those whose dead letters are kept.

    If the batch is complete, a further round begins, with a new deadline and a completion of its own. Jobs that were
    blocked, expired or cancelled have no dead letter. The exit code is 1 if there is no such batch, or if a
    failed job could not be queued. The command needs Redis, but no worker.

    Example: `workerctl batch retry acme/nightly`.

    Parameters
    ----------
    batch
        Name of the batch, TENANT/BATCH.
    """

    async def act(batches: Batches, ref: BatchRef) -> BatchChange | None:
        done = await batches.retry(ref)
        return None if done is None else BatchChange(action="retry", jobs=done.queued, left=done.left)

    return _run(batch, act, "retry", reason, config, json=json)


def _run(
    name: str,
    act: Callable[[Batches, BatchRef], Awaitable[BatchChange | None]],
    action: Action,
    reason: str | None,
    config: Config,
    *,
    json: bool,
) -> CommandExit:
    ref = batch_named(name)

    async def run() -> BatchChange:
        async with open_queue(config) as (_, queue, settings):
            async with audited(queue, settings, f"batch {action}", str(ref), reason) as recorded:
                change = await act(queue.batches, ref)
                recorded.outcome = "no such batch" if change is None else _told(change)
            if change is None:
                raise no_batch(ref)
            return BatchChange(action=action, jobs=change.jobs, left=change.left, batch=await queue.batches.show(ref))

    change = asyncio.run(run())
    state = "gone" if change.batch is None else change.batch.state
    show(change, f"{ref}: {_told(change)}; the batch is {state}", json)
    return CommandExit.FAILED if change.left else CommandExit.DONE


def _told(change: BatchChange) -> str:
    match change.action:
        case "close":
            return "closed"
        case "cancel":
            return f"{change.jobs} jobs cancelled"
        case "retry":
            return f"{change.jobs} jobs queued, {change.left} not"
