"""`workerctl drain|undrain` of other workers: by id, by tag, or all. Needs Redis, and no worker on this host.

The drain is stored in Redis, and the workers follow it by themselves. The command watches. It may end at any time.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from msgspec import Struct

from pageworker_supervisor.admin.status import DrainLine
from pageworker_supervisor.cli.audited import audited
from pageworker_supervisor.cli.connect import open_queue
from pageworker_supervisor.cli.drain_watch import DrainWatch, is_for
from pageworker_supervisor.cli.local_user import user_at_host
from pageworker_supervisor.cli.output import CommandError, CommandExit, note
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.fleet_status import FleetState, fleet_worker
from pageworker_supervisor.queue.fleet_workers import (
    EVERY_WORKER,
    HeardWorker,
    StoredDrain,
    WorkersPage,
    drain_of_tag,
    drain_of_worker,
)
from pageworker_supervisor.queue.views import JobView, ListedState

LOOK_SECONDS = 0.5
LOOKS_SHARE = 4
"""After a look at Redis the command waits at least this many times as long as the look took."""
UNDRAIN_SECONDS = 3.0
MOST_TEXT = 1000
LISTED = "`workerctl status --fleet` lists the workers and the stored drains."


@dataclass(frozen=True)
class DrainTarget:
    """Whom a stored drain is for: the name under which it is stored, and the option that names it."""

    name: str
    option: str


class UndrainedWorker(Struct, frozen=True, kw_only=True):
    """A worker that a lifted drain was for. `drained_by`: another stored drain that still holds, None: none does."""

    worker_id: str
    name: str
    state: FleetState
    reason: str
    drained_by: str | None


class UndrainedFleet(Struct, frozen=True, kw_only=True):
    """Of `undrain` with --worker, --tag or --fleet."""

    lifted: str
    workers: tuple[UndrainedWorker, ...]


def drain_target(worker: str | None, tag: str | None, *, fleet: bool) -> DrainTarget | None:
    """What the options name. None: the worker on this host. Raises CommandError if they name more than one."""
    named = [
        *([DrainTarget(drain_of_worker(worker), f"--worker {worker}")] if worker is not None else []),
        *([DrainTarget(drain_of_tag(tag), f"--tag {tag}")] if tag is not None else []),
        *([DrainTarget(EVERY_WORKER, "--fleet")] if fleet else []),
    ]
    if len(named) > 1:
        options = " and ".join(target.option.partition(" ")[0] for target in named)
        raise CommandError(f"{options} are given together", "Give one of them.", CommandExit.USAGE)
    return named[0] if named else None


def drain_fleet(
    config: Path | None,
    target: DrainTarget,
    seconds: float | None,
    put_line: Callable[[DrainLine], None],
    *,
    cancel: bool,
    reason: str,
) -> CommandExit:
    """Store the drain and watch it to its end. Calls `put_line` with each line."""
    stored: list[StoredDrain] = []
    try:
        return asyncio.run(_drain(config, target, seconds, put_line, stored, cancel=cancel, reason=reason))
    except KeyboardInterrupt:
        if stored:
            _detached(target)
        raise
    except CommandError as error:
        if stored and error.exit_code == CommandExit.UNREACHABLE:
            _detached(target)
        raise


def _detached(target: DrainTarget) -> None:
    option = printable(target.option)
    note(
        f"The drain goes on. Watch it again: workerctl drain {option}\n"
        f"Let the workers take jobs again: workerctl undrain {option}"
    )


async def _drain(
    config: Path | None,
    target: DrainTarget,
    seconds: float | None,
    put_line: Callable[[DrainLine], None],
    stored: list[StoredDrain],
    *,
    cancel: bool,
    reason: str,
) -> CommandExit:
    if len(reason) > MOST_TEXT:
        raise CommandError(f"--reason has more than {MOST_TEXT} characters", "Make it shorter.", CommandExit.USAGE)
    async with open_queue(config) as (_, queue, settings):
        usual = settings.worker.drain_seconds
        if seconds is None and (cancel or reason):
            seconds = usual  # a stored drain of this name has another end or reason
        async with audited(queue, settings, "drain", target.name, reason):
            reply = await queue.workers.store_drain(
                target.name,
                secrets.token_hex(8),
                seconds,
                else_seconds=usual,
                who=user_at_host(),
                reason=reason,
                cancel=cancel,
            )
        if reply.state == "unknown":
            raise CommandError(printable(f"no worker of {target.option} reports"), LISTED)
        if reply.drain is None or reply.state == "full":
            raise CommandError("too many drains are stored", f"Lift some with `workerctl undrain`. {LISTED}")
        stored.append(reply.drain)
        if reply.state == "kept":
            note(printable(f"This drain was stored before by {reply.drain.who}."))
        if not reply.workers:
            note("No worker reports. Workers that start are drained until `workerctl undrain --fleet`.")
        return await _watch(queue, target, put_line)


async def _watch(queue: QueueClient, target: DrainTarget, put_line: Callable[[DrainLine], None]) -> CommandExit:
    watch = DrainWatch()
    requeued = 0
    while True:
        began = time.monotonic()
        page = await queue.workers.everyone()
        drain = next((drain for drain in page.drains if drain.name == target.name), None)
        if drain is None:
            raise CommandError("the drain was given up: another command has lifted it", LISTED)
        came, gone = watch.look(drain, page, await _running(queue))
        for ref, worker in came:
            put_line(_line("waiting", ref, worker))
        for ref, worker in gone:
            ended = page.now * 1000 < drain.deadline_ms or await queue.inspection.result(ref) is not None
            requeued += not ended
            put_line(_line("ended" if ended else "requeued", ref, worker))
        if watch.done or watch.over(drain, page.now):
            break
        await asyncio.sleep(max(LOOK_SECONDS, LOOKS_SHARE * (time.monotonic() - began)))
    if watch.unknown:
        note(
            printable(f"Nothing is known of {', '.join(watch.unknown)}: silent. A worker that starts again is drained.")
        )
    left = requeued + len(watch.waiting)
    put_line(DrainLine(event="deadline" if left or watch.undrained else "done", left=left))
    if watch.undrained:
        note(printable(f"Not drained yet: {', '.join(watch.undrained)}."))
    elif left:
        note(f"{left} jobs did not end before the deadline. They are queued again.")
    return CommandExit.DEADLINE if left or watch.undrained else CommandExit.DONE


async def _running(queue: QueueClient) -> list[JobView]:
    """Jobs that any worker runs, or stores the artifacts of."""
    found: list[JobView] = []
    states: tuple[ListedState, ...] = ("running", "storing")
    for state in states:
        cursor: str | None = None
        while True:
            page = await queue.inspection.jobs(state, cursor=cursor)
            found += page.jobs
            if (cursor := page.cursor) is None:
                break
    return found


def _line(event: Literal["waiting", "ended", "requeued"], ref: JobRef, worker_id: str) -> DrainLine:
    return DrainLine(event=event, job_id=ref.job_id, tenant_id=ref.tenant_id, worker_id=worker_id)


def undrain_fleet(config: Path | None, target: DrainTarget) -> UndrainedFleet:
    """Lift the drain, and wait until its workers have reported, for UNDRAIN_SECONDS at most."""
    return asyncio.run(_undrain(config, target))


async def _undrain(config: Path | None, target: DrainTarget) -> UndrainedFleet:
    async with open_queue(config) as (_, queue, settings):
        async with audited(queue, settings, "undrain", target.name) as action:
            lifted = await queue.workers.lift_drain(target.name)
            action.outcome = "done" if lifted.lifted else "no such drain is stored"
        if not lifted.lifted:
            stored = ", ".join(drain.name for drain in (await queue.workers.page()).drains) or "none"
            raise CommandError(printable(f"no drain of {target.option} is stored; stored are: {stored}"), LISTED)
        until = time.monotonic() + UNDRAIN_SECONDS
        while True:
            page = await queue.workers.everyone()
            mine = [heard for heard in page.workers if heard.name in lifted.workers]
            workers = tuple(_undrained(heard, page) for heard in mine if heard.report is not None)
            if time.monotonic() > until or all(one.drained_by or one.state != "draining" for one in workers):
                return UndrainedFleet(lifted=target.name, workers=workers)
            await asyncio.sleep(LOOK_SECONDS)


def _undrained(heard: HeardWorker, page: WorkersPage) -> UndrainedWorker:
    seen, report = fleet_worker(heard, page.now), heard.report
    holds = [drain.name for drain in page.drains if report is not None and is_for(drain, report)]
    return UndrainedWorker(
        worker_id=seen.worker_id,
        name=seen.name,
        state=seen.state,
        reason=seen.reason,
        drained_by=holds[0] if holds else None,
    )


def undrained_text(undrained: UndrainedFleet) -> str:
    """One line per worker, for a person."""
    lines = []
    for worker in undrained.workers:
        held = f": the drain of {worker.drained_by} holds" if worker.drained_by else ""
        state = worker.reason if worker.state == "draining" else worker.state
        lines.append(printable(f"{worker.worker_id} is {state}{held}"))
    return "\n".join(lines or ["lifted; no worker reports that it was for"])
