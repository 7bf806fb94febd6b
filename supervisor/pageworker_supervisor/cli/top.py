"""`workerctl top`: the fleet, live. Needs Redis, and no worker on this host."""

import asyncio
from pathlib import Path

from pageworker_supervisor.cli.connect import Config, open_queue
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, show
from pageworker_supervisor.cli.top_frame import SortKey, TopFrame, frame_text
from pageworker_supervisor.cli.top_reader import TopReader


def top(*, once: bool = False, sort: SortKey = "memory", config: Config = None, json: Json = False) -> None:
    """Show workers, runners, tenants and the newest failures, live.

    Keys: `m`, `j` and `n` sort by memory, by jobs and by name; `q` quits. Numbers of workers and runners are as old as
    their reports: up to ten seconds. Of each worker, the largest eight runners are shown.

    Example: `workerctl top --once`.

    Parameters
    ----------
    once
        Print one frame as text, for pipes, and end. --json does so too.
    sort
        Sort by memory, by jobs or by name.
    """
    if once or json:
        frame = asyncio.run(_one_frame(config))
        show(frame, frame_text(frame, sort), json)
        return
    asyncio.run(_live(config, sort))


async def _one_frame(config: Path | None) -> TopFrame:
    async with open_queue(config) as (redis_client, queue, settings):
        return await TopReader(queue, redis_client, settings.redis.prefix).frame(whole=True)


async def _live(config: Path | None, sort: SortKey) -> None:
    # textual takes as long to import as the whole of `workerctl top --once` takes to run.
    from pageworker_supervisor.cli.top_app import TopApp

    async with open_queue(config) as (redis_client, queue, settings):
        reader = TopReader(queue, redis_client, settings.redis.prefix)
        app = TopApp(reader.frame, sort)
        await app.run_async()
        if app.return_code:
            raise CommandError("the screen ended with an error", "Use `workerctl top --once`.", CommandExit.FAILED)
