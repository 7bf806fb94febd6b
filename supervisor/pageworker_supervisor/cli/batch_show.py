"""`workerctl batch show|list`."""

import asyncio

from pageworker_supervisor.cli.batch_name import batch_named, no_batch
from pageworker_supervisor.cli.connect import Config, open_queue
from pageworker_supervisor.cli.output import CommandExit, Count, Json, note, show, table
from pageworker_supervisor.cli.paused_name import paused_name
from pageworker_supervisor.contract.utc_time import utc_text
from pageworker_supervisor.queue.batches import BatchPage, BatchView

HEADS = ("BATCH", "STATE", "JOBS", "OF", "WAITING", "RUNNING", "ENDED", "ROUND", "REASON")


def show_batch(batch: str, *, config: Config = None, json: Json = False) -> CommandExit:
    """Show one batch: its state, and how many of its jobs are where.

    `workerctl jobs list --batch acme/nightly --all` lists its jobs. The exit code is 1 if there is no such batch. The
    command needs Redis, but no worker. Example: `workerctl batch show acme/nightly`.

    Parameters
    ----------
    batch
        Name of the batch, TENANT/BATCH.
    """
    ref = batch_named(batch)

    async def read() -> BatchView | None:
        async with open_queue(config) as (_, queue, _settings):
            return await queue.batches.show(ref)

    view = asyncio.run(read())
    if view is None:
        raise no_batch(ref)
    show(view, text_of(view), json)
    return CommandExit.DONE


def list_batches(
    *,
    tenant: str | None = None,
    count: Count = 50,
    cursor: str | None = None,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """List batches, those of one tenant or of all.

    A complete batch is listed for `results.ttl_seconds`. The command needs Redis, but no worker.
    Example: `workerctl batch list --tenant acme`.

    Parameters
    ----------
    tenant
        Only batches of this tenant.
    count
        Maximum number of batches to list.
    cursor
        Continue an earlier list: the cursor that it printed on stderr because there were more batches.
    """
    named = None if tenant is None else paused_name("tenant", tenant)

    async def read() -> BatchPage:
        async with open_queue(config) as (_, queue, _settings):
            page = await queue.batches.page(count, cursor, named)
            found = list(page.batches)
            while page.cursor is not None and len(found) < count:
                page = await queue.batches.page(count - len(found), page.cursor, named)
                found += page.batches
            return BatchPage(tuple(found), page.cursor)

    page = asyncio.run(read())
    show(page.batches, table(HEADS, map(_line, page.batches)), json)
    if page.cursor is not None:
        note(f"There are more batches. Go on with --cursor '{page.cursor}'")
    return CommandExit.DONE


def _ended(view: BatchView) -> int:
    return sum(count for name, count in view.counts.items() if name not in ("waiting", "running"))


def _line(view: BatchView) -> tuple[object, ...]:
    return (
        *(view.ref, view.state, view.job_count, view.size or "-", view.counts["waiting"], view.counts["running"]),
        *(_ended(view), view.round, view.reason or "-"),
    )


def text_of(view: BatchView) -> str:
    """One batch for people."""
    rows: list[tuple[str, object]] = [
        ("batch", view.ref),
        ("state", view.state if view.reason is None else f"{view.state}: {view.reason}"),
        ("round", view.round),
        ("jobs", view.job_count if view.size is None else f"{view.job_count} of {view.size}"),
        *((name, count) for name, count in sorted(view.counts.items()) if count),
        ("complete on", view.complete_on),
        ("callback", "yes" if view.called_back else "no"),
        ("opened", _at(view.created_at_ms)),
        ("deadline", _at(view.deadline_at_ms)),
    ]
    if view.completed_at_ms is not None:
        rows.append(("completed", _at(view.completed_at_ms)))
    return table(("", ""), rows).strip("\n")


def _at(ms: int) -> str:
    return utc_text(ms / 1000, "%Y-%m-%d %H:%M:%S UTC")
