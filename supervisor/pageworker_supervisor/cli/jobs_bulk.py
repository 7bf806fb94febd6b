"""`workerctl jobs cancel|retry`: acts on exactly the jobs that it has listed before.

With filters, the set is read once and printed. The command acts on that set, not on what the filters would find by
then; what has changed meanwhile is reported per job.
"""

import asyncio
import hashlib
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from msgspec.structs import replace

from pageworker_supervisor.cli.answers import BulkAnswer, BulkJob
from pageworker_supervisor.cli.audited import Reason, audited, many, outcomes_text
from pageworker_supervisor.cli.cancel import word_of
from pageworker_supervisor.cli.connect import CHECK_REDIS, Config, OpenQueue, open_queue
from pageworker_supervisor.cli.dead_rows import dead_jobs_matching, dead_jobs_named
from pageworker_supervisor.cli.job_filter import ENDED, JobFilter
from pageworker_supervisor.cli.job_name import job_named
from pageworker_supervisor.cli.job_rows import find_jobs
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, ask, note, put, show, table
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.redis_client.errors import RedisClientError

MOST_JOBS = 10_000
"""A set is printed and kept in memory before anything is done."""

Action = Literal["cancel", "retry"]
HELD = frozenset({"cancelled", "cancelling", "queued"})
"""Outcomes after which the job ends or runs as was asked."""

NamesFrom = Annotated[
    Path | None,
    # Without allow_leading_hyphen, cyclopts takes `-` for an option.
    Parameter(
        name="--names-from",
        allow_leading_hyphen=True,
        help="File with one TENANT/ID per line, as `workerctl jobs list --names` prints them; `-` reads stdin.",
    ),
]
Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative=(), help="Act without a question.")]
Digest = Annotated[str | None, Parameter(help="Act only if the set has this digest, which an earlier dry run printed.")]
Names = Annotated[str, Parameter(help="Names of jobs, TENANT/ID. Filters and names exclude each other.")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class BulkOptions:
    """What both commands take beside names and filters."""

    names_from: NamesFrom = None
    yes: Yes = False
    digest: Digest = None
    reason: Reason = None
    config: Config = None
    json: Json = False


def cancel(*jobs: Names, wanted: JobFilter | None = None, options: BulkOptions | None = None) -> CommandExit:
    """Cancel jobs that have not ended: those that are named, or those that filters choose.

    With filters, the command first prints exactly the jobs that it would cancel, their number and a digest. It then
    asks. Without a terminal it is a dry run, unless --yes is given. It cancels the printed jobs and no others. The
    outcome of each job is one of four words: see `workerctl cancel --help`. `finished`: the job has ended meanwhile.

    The exit code is 0 for a dry run, and if every cancellation holds; 1 if one does not; 4 if the set does not have the
    digest of --digest, or is too large; 3 if Redis is lost amid: a job without an outcome was not tried, or its answer
    was lost. The command needs Redis, but no worker.

    Example: `workerctl jobs cancel --tenant acme --module 'shop.*' --state queued`.
    """
    chosen = wanted or JobFilter()
    if ENDED in chosen.states():
        raise CommandError("an ended job cannot be cancelled", "Leave out --status and --blocker.", CommandExit.USAGE)

    async def read(opened: OpenQueue) -> Sequence[BulkJob]:
        found = await find_jobs(opened, chosen, chosen.states(), MOST_JOBS + 1)
        return [BulkJob(job_id=row.job_id, tenant_id=row.tenant_id, found=row.state) for row in found.rows]

    async def named(opened: OpenQueue, refs: Sequence[JobRef]) -> Sequence[BulkJob]:
        return [BulkJob(job_id=ref.job_id, tenant_id=ref.tenant_id, found="named") for ref in refs]

    async def act(opened: OpenQueue, job: BulkJob) -> str:
        return word_of(await opened.queue.inspection.cancel(job.ref))

    bulk = BulkAction("cancel", read, named, act)
    return bulk.run(jobs, chosen, options or BulkOptions())


def retry(*jobs: Names, wanted: JobFilter | None = None, options: BulkOptions | None = None) -> CommandExit:
    """Queue jobs again that did not succeed: those that are named, or those that filters choose.

    A job can be retried as long as its dead letter is kept. Jobs that failed, timed out or died have one; a blocked,
    cancelled or expired job has none and must be pushed again. With several dead letters of one job, the newest counts.

    With filters, the command first prints exactly the jobs that it would queue, their number and a digest. It then
    asks. Without a terminal it is a dry run, unless --yes is given. The outcome of each job is `queued`, `duplicate`
    (it was pushed or queued again meanwhile), `gone` (no dead letter) or `refused` (it is no valid job).

    The exit code is 0 for a dry run, and if every job was queued; 1 if one was not; 4 if the set does not have the
    digest of --digest, or is too large; 3 if Redis is lost amid: a job without an outcome was not tried, or its answer
    was lost. The command needs Redis, but no worker. `workerctl dead retry` takes ids of
    dead letters.

    Example: `workerctl jobs retry --module shop.product --since 1h`.
    """
    chosen = wanted or JobFilter()
    if set(chosen.state) - {ENDED} or chosen.blocker:
        raise CommandError(
            "only a job with a dead letter can be retried",
            "Leave out --state and --blocker: a blocked job has no dead letter, and must be pushed again.",
            CommandExit.USAGE,
        )

    async def read(opened: OpenQueue) -> Sequence[BulkJob]:
        return await dead_jobs_matching(opened, chosen, MOST_JOBS + 1)

    async def act(opened: OpenQueue, job: BulkJob) -> str:
        if job.letter_id is None:
            return "gone"
        return (await opened.queue.dead_letters.retry([job.letter_id]))[job.letter_id]

    bulk = BulkAction("retry", read, dead_jobs_named, act)
    return bulk.run(jobs, chosen, options or BulkOptions())


class BulkAction:
    """Reads a set of jobs, shows it, and acts on each of them."""

    def __init__(
        self,
        action: Action,
        read: Callable[[OpenQueue], Awaitable[Sequence[BulkJob]]],
        named: Callable[[OpenQueue, Sequence[JobRef]], Awaitable[Sequence[BulkJob]]],
        act: Callable[[OpenQueue, BulkJob], Awaitable[str]],
    ) -> None:
        self._action = action
        self._read = read
        self._named = named
        self._act = act

    def run(self, names: tuple[str, ...], wanted: JobFilter, options: BulkOptions) -> CommandExit:
        """The whole command. Raises CommandError."""
        refs = _refs(names, options.names_from)
        if bool(refs) == wanted.given:
            raise CommandError(
                "name jobs, or give filters" if not refs else "names and filters exclude each other",
                f"e.g. `workerctl jobs {self._action} acme/17`, or `workerctl jobs {self._action} --tenant acme`",
                CommandExit.USAGE,
            )
        return asyncio.run(self._run(refs, options))

    async def _run(self, refs: Sequence[JobRef], options: BulkOptions) -> CommandExit:
        json = options.json
        async with open_queue(options.config) as opened:
            chosen = tuple(await (self._named(opened, refs) if refs else self._read(opened)))
            self._check(chosen, options.digest)
            plan = _answer(self._action, chosen, done=False)
            if not refs and not json:
                put(_listed(plan))
            if not (refs or options.yes or (not json and self._confirmed(plan))):
                show(plan, "", True) if json else note(
                    f"Nothing was changed. Run the command again with --yes --digest {plan.digest}"
                )
                return CommandExit.DONE
            target, detail = many([str(job.ref) for job in chosen], "jobs")
            command = f"jobs {self._action}"
            async with audited(opened.queue, opened.settings, command, target, options.reason, detail) as recorded:
                acted, lost = await self._act_on(opened, chosen)
                recorded.outcome = outcomes_text(job.outcome or "" for job in acted)
        answer = _answer(self._action, acted, done=True)
        show(answer, table(("JOB", "OUTCOME"), [(job.ref, job.outcome or "not tried") for job in acted]), json)
        if lost is not None:
            left = sum(job.outcome is None for job in acted)
            raise CommandError(
                f"{left} of {len(acted)} jobs were not tried: {printable(lost)}", CHECK_REDIS, CommandExit.UNREACHABLE
            )
        return CommandExit.DONE if all(job.outcome in HELD for job in acted) else CommandExit.FAILED

    async def _act_on(
        self, opened: OpenQueue, chosen: Sequence[BulkJob]
    ) -> tuple[tuple[BulkJob, ...], RedisClientError | None]:
        """Act on one job after the other. If Redis is lost, the rest is not tried. The job amid may have been done."""
        acted: list[BulkJob] = []
        for job in chosen:
            try:
                acted.append(replace(job, outcome=await self._act(opened, job)))
            except RedisClientError as lost:
                return (*acted, *chosen[len(acted) :]), lost
        return tuple(acted), None

    def _check(self, chosen: Sequence[BulkJob], digest: str | None) -> None:
        if len(chosen) > MOST_JOBS:
            raise CommandError(f"these are more than {MOST_JOBS} jobs", "Narrow the filters.", CommandExit.REFUSED)
        if digest is not None and digest != digest_of(chosen):
            raise CommandError(
                f"the set has changed: it has {len(chosen)} jobs and the digest {digest_of(chosen)}",
                "Look at it again, without --yes.",
                CommandExit.REFUSED,
            )

    def _confirmed(self, plan: BulkAnswer) -> bool:
        return plan.number > 0 and sys.stdin.isatty() and ask(f"{self._action.capitalize()} these {plan.number} jobs?")


def digest_of(jobs: Iterable[BulkJob]) -> str:
    """16 hex digits over the names of the jobs and dead letters, in any order."""
    lines = sorted(f"{job.ref} {job.letter_id or ''}\n" for job in jobs)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def _answer(action: Action, jobs: tuple[BulkJob, ...], *, done: bool) -> BulkAnswer:
    return BulkAnswer(action=action, done=done, number=len(jobs), digest=digest_of(jobs), jobs=jobs)


def _listed(plan: BulkAnswer) -> str:
    rows = table(("JOB", "FOUND"), [(job.ref, job.found) for job in plan.jobs])
    return f"{rows}\n{plan.number} jobs, digest {plan.digest}"


def _refs(jobs: tuple[str, ...], file: Path | None) -> list[JobRef]:
    try:
        text = "" if file is None else sys.stdin.read() if str(file) == "-" else file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise CommandError(f"--names-from {file}: {reason}", exit_code=CommandExit.USAGE) from error
    if file is not None and not text.split():
        raise CommandError(f"--names-from {file}: it names no job", exit_code=CommandExit.USAGE)
    return list(dict.fromkeys(job_named(name) for name in (*jobs, *text.split())))
