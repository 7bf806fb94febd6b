"""Reads the jobs that a filter means: from the queue's indexes, and ended ones from the streams of results."""

import datetime as dt
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from pageworker_supervisor.cli.answers import JobRow
from pageworker_supervisor.cli.batch_name import members_of
from pageworker_supervisor.cli.connect import OpenQueue
from pageworker_supervisor.cli.job_filter import ENDED, WITHOUT_RESULT, JobFilter, TimeInvalid
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.listing import JOBS_PER_PAGE
from pageworker_supervisor.queue.views import JobView, ListedState
from pageworker_supervisor.redis_client.router import root, shard_of

MOST_LOOKED_AT = 200_000
"""Jobs, and results, that one command reads at most. Such a command takes about half a minute."""
RESULTS_PER_CALL = 100
TRAFFIC = ("requests", "bytes_in", "bytes_out")


class FoundJobs(Struct, frozen=True):
    """The jobs that were found. `cursor`: where a listing of jobs without a result goes on. `complete` False: there are
    more."""

    rows: tuple[JobRow, ...]
    cursor: str | None = None
    complete: bool = True


class _ErrorPart(Struct):
    type: str = ""


class _BlockerPart(Struct):
    kind: str = ""


class _ResultPart(Struct):
    """What a listing shows of a result. The rest, such as `data`, is skipped."""

    job_id: str
    tenant_id: str
    status: str
    endpoint_module: str = ""
    profile_id: str | None = None
    worker_id: str | None = None
    error: _ErrorPart | None = None
    blocker: _BlockerPart | None = None
    attempts: tuple[object, ...] = ()
    usage: dict[str, Any] = {}


_result_part = msgspec.json.Decoder(_ResultPart)


async def find_jobs(
    opened: OpenQueue, wanted: JobFilter, states: frozenset[str], count: int, cursor: str | None = None
) -> FoundJobs:
    """At most `count` jobs. Raises CommandError for a filter or cursor that is not valid, RedisClientError."""
    try:
        bounds = wanted.bounds(dt.datetime.now(dt.UTC))
    except TimeInvalid as invalid:
        raise CommandError(str(invalid), exit_code=CommandExit.USAGE) from invalid
    members = await members_of(opened, wanted.batch)
    found = FoundJobs(())
    if states & set(WITHOUT_RESULT):
        found = await _without_result(opened, wanted, states, bounds, members, count, cursor)
    if ENDED not in states or not found.complete or len(found.rows) >= count:
        return found if ENDED not in states else msgspec.structs.replace(found, complete=False)
    ended = await _ended(opened, wanted, bounds, members, count - len(found.rows))
    again = {row.ref for row in found.rows}  # a job that was revived, or pushed again after a rejection
    rows = tuple(row for row in ended.rows if row.ref not in again)
    return FoundJobs(found.rows + rows, None, ended.complete)


async def _without_result(
    opened: OpenQueue,
    wanted: JobFilter,
    states: frozenset[str],
    bounds: tuple[float, float],
    members: frozenset[JobRef] | None,
    count: int,
    cursor: str | None,
) -> FoundJobs:
    only = states & set(WITHOUT_RESULT)
    state: ListedState | None = next((each for each in WITHOUT_RESULT if only == {each}), None)
    rows: dict[JobRef, JobRow] = {}
    at, looked = cursor, 0
    while True:
        try:
            page = await opened.queue.inspection.jobs(state, wanted.tenant, at, min(JOBS_PER_PAGE, count - len(rows)))
        except ValueError as error:
            mend = "Copy the cursor that the previous page printed on stderr."
            raise CommandError(str(error), mend, CommandExit.USAGE) from error
        looked += len(page.jobs)
        for row in map(row_of_view, page.jobs):
            if row.state in only and wanted.holds(row, bounds, members):
                rows[row.ref] = row  # a job that moves on meanwhile is listed once
        at = page.cursor
        if at is None or len(rows) >= count or looked >= MOST_LOOKED_AT:
            return FoundJobs(tuple(rows.values()), at, at is None)


async def _ended(
    opened: OpenQueue,
    wanted: JobFilter,
    bounds: tuple[float, float],
    members: frozenset[JobRef] | None,
    count: int,
) -> FoundJobs:
    """The newest result of each job, newest first. Jobs whose result left the stream are not found."""
    shards = range(opened.shards) if wanted.tenant is None else [shard_of(wanted.tenant, opened.shards)]
    rows: list[JobRow] = []
    complete = True
    for shard in shards:
        seen: set[JobRef] = set()
        kept, looked = 0, 0
        async for row in _results(opened, shard):
            looked += 1
            if row.age_seconds > bounds[0]:
                break
            if row.ref not in seen:
                seen.add(row.ref)
                if wanted.holds(row, bounds, members):
                    rows.append(row)
                    kept += 1
            if kept > count or looked >= MOST_LOOKED_AT:
                complete = False
                break
    rows.sort(key=lambda row: row.age_seconds)
    return FoundJobs(tuple(rows[:count]), None, complete and len(rows) <= count)


async def _results(opened: OpenQueue, shard: int) -> AsyncIterator[JobRow]:
    """Results of one shard, newest first. One that is no result, which a user of Redis may add, is left out."""
    stream = f"{root(opened.prefix, shard)}:results"
    last = "+"
    while True:
        entries = await opened.redis_client.send("XREVRANGE", stream, last, "-", "COUNT", RESULTS_PER_CALL, key=stream)
        now = time.time()
        for entry, fields in entries:
            row = row_of_result(entry.decode(), stream_fields(fields).get(b"result", b""), now)
            if row is not None:
                yield row
        if len(entries) < RESULTS_PER_CALL:
            return
        last = "(" + entries[-1][0].decode()


def stream_fields(fields: Mapping[bytes, bytes] | Sequence[bytes]) -> Mapping[bytes, bytes]:
    """The fields of a stream's entry: redis-py gives a map, or, on a Cluster, a flat list."""
    return fields if isinstance(fields, Mapping) else dict(zip(fields[::2], fields[1::2], strict=True))


def row_of_view(view: JobView) -> JobRow:
    """A job without a result."""
    return JobRow(**msgspec.structs.asdict(view))


def row_of_result(entry: str, text: bytes, now: float) -> JobRow | None:
    """An ended job, by an entry of the stream of results. None if the text is no result. `now`: Unix seconds."""
    try:
        part = _result_part.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    used = {name: value for name in TRAFFIC if isinstance(value := part.usage.get(name), int)}
    return JobRow(
        job_id=part.job_id,
        tenant_id=part.tenant_id,
        module=part.endpoint_module or None,
        state=ENDED,
        status=part.status,
        profile_id=part.profile_id,
        worker_id=part.worker_id,
        attempts_used=len(part.attempts),
        age_seconds=round(max(0.0, now - int(entry.partition("-")[0]) / 1000), 3),
        error=part.error.type if part.error else None,
        blocker=part.blocker.kind if part.blocker else None,
        requests=used.get("requests", 0),
        bytes_in=used.get("bytes_in", 0),
        bytes_out=used.get("bytes_out", 0),
    )
