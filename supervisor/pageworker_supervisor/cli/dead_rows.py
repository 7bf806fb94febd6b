"""Reads the dead letters of named jobs, and of those that a filter means. Of several of one job, the newest counts."""

import datetime as dt
from collections.abc import AsyncIterator, Sequence

import msgspec
from msgspec import Struct

from pageworker_supervisor.cli.answers import BulkJob, JobRow
from pageworker_supervisor.cli.batch_name import members_of
from pageworker_supervisor.cli.connect import OpenQueue
from pageworker_supervisor.cli.job_filter import ENDED, JobFilter, TimeInvalid
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.dead_letters import DeadLetter

LETTERS_PER_CALL = 500


class _JobPart(Struct):
    endpoint_module: str = ""


_job_part = msgspec.json.Decoder(_JobPart)


async def dead_jobs_matching(opened: OpenQueue, wanted: JobFilter, most: int) -> list[BulkJob]:
    """At most `most` jobs, newest first within a shard. Raises CommandError, RedisClientError."""
    now = dt.datetime.now(dt.UTC)
    try:
        bounds = wanted.bounds(now)
    except TimeInvalid as invalid:
        raise CommandError(str(invalid), exit_code=CommandExit.USAGE) from invalid
    members = await members_of(opened, wanted.batch)
    found: dict[JobRef, BulkJob] = {}
    seen: set[JobRef] = set()
    async for letter in _letters(opened, wanted.tenant):
        if len(found) >= most:
            break
        if letter.ref is None or letter.ref in seen:
            continue
        seen.add(letter.ref)
        if wanted.holds(row_of_letter(letter, letter.ref, now), bounds, members):
            found[letter.ref] = _job(letter, letter.ref)
    return list(found.values())


async def dead_jobs_named(opened: OpenQueue, refs: Sequence[JobRef]) -> list[BulkJob]:
    """These jobs in their order. One without a dead letter has no `letter_id`."""
    found: dict[JobRef, BulkJob] = {}
    for tenant in sorted({ref.tenant_id for ref in refs}):
        left = {ref for ref in refs if ref.tenant_id == tenant}
        async for letter in _letters(opened, tenant):
            if letter.ref in left:
                found[letter.ref] = _job(letter, letter.ref)
                left.discard(letter.ref)
            if not left:
                break
    return [
        found.get(ref) or BulkJob(job_id=ref.job_id, tenant_id=ref.tenant_id, found="no dead letter") for ref in refs
    ]


def row_of_letter(letter: DeadLetter, ref: JobRef, now: dt.datetime) -> JobRow:
    """The job of a dead letter, as filters see it. `age_seconds`: since it was dead-lettered."""
    try:
        module = _job_part.decode(letter.job).endpoint_module
    except (msgspec.DecodeError, RecursionError):
        module = ""
    return JobRow(
        job_id=ref.job_id,
        tenant_id=ref.tenant_id,
        module=module or None,
        state=ENDED,
        status=letter.reason,
        age_seconds=max(0.0, now.timestamp() - letter.at_ms / 1000),
    )


async def _letters(opened: OpenQueue, tenant: str | None) -> AsyncIterator[DeadLetter]:
    cursor: str | None = None
    while True:
        page = await opened.queue.dead_letters.page(LETTERS_PER_CALL, cursor, tenant)
        for letter in page.letters:
            yield letter
        cursor = page.cursor
        if cursor is None:
            return


def _job(letter: DeadLetter, ref: JobRef) -> BulkJob:
    return BulkJob(job_id=ref.job_id, tenant_id=ref.tenant_id, found=letter.reason, letter_id=letter.id)
