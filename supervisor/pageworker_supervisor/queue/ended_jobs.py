"""Ended jobs, the newest first, from the streams of results."""

import re

import msgspec
from msgspec import Struct

from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.job_errors import UNREADABLE
from pageworker_supervisor.queue.functions import Shards
from pageworker_supervisor.queue.library import shard_key

ENTRIES_PER_CALL = 50
CALLS_PER_PAGE = 10
BYTES_PER_PAGE = 16 * 1024 * 1024
"""A page looks at no further results once it has read so much: an entry holds the whole result."""

_CURSOR = re.compile(r"([0-9]{1,4}):([0-9]{1,19}-[0-9]{1,19})?", re.ASCII)


class _EndedError(Struct):
    type: str = ""
    message: str = ""


class _EndedBlocker(Struct):
    kind: str = ""


class _EndedResult(Struct):
    job_id: str
    tenant_id: str
    status: str
    endpoint_module: str = ""
    worker_id: str | None = None
    error: _EndedError | None = None
    blocker: _EndedBlocker | None = None
    attempts: tuple[object, ...] = ()


_decoder = msgspec.json.Decoder(_EndedResult)


class EndedJobRow(Struct, frozen=True, kw_only=True):
    """What a list shows of a result. `at`: Unix seconds on Redis' clock. `why`: type and text of the error, or what
    blocked the job; "" if it succeeded."""

    ref: JobRef
    at: float
    status: str
    module: str
    worker_id: str | None
    attempts: int
    why: str


class EndedPage(Struct, frozen=True):
    """A page of ended jobs. `looked_until`: when the oldest result that was looked at was written, Unix seconds; None:
    there was none. `cursor` None: there are no more."""

    jobs: tuple[EndedJobRow, ...]
    looked_until: float | None
    cursor: str | None


class EndedJobs:
    """Lists results of all shards, or of a tenant's shard. All methods raise RedisClientError."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def page(
        self, count: int, cursor: str | None = None, tenant_id: str | None = None, status: str | None = None
    ) -> EndedPage:
        """At most `count` jobs, shard by shard. A page may be empty although there are more: it looks at 500 results.

        A cursor is `<shard>:<stream id>`. Raises ValueError for one that no listing has given.
        """
        shard, before = self._place(cursor, 0 if tenant_id is None else self._shards.of(tenant_id))
        found: list[EndedJobRow] = []
        looked_until, read = None, 0
        for _ in range(CALLS_PER_PAGE):
            entries = await self._entries(shard, before)
            for entry, text in entries:
                before, looked_until, read = entry, int(entry.partition("-")[0]) / 1000, read + len(text)
                job = ended_job(looked_until, text)
                if job is not None and tenant_id in (None, job.ref.tenant_id) and status in (None, job.status):
                    found.append(job)
                if len(found) >= count:
                    return EndedPage(tuple(found), looked_until, f"{shard}:{before}")
            if len(entries) < ENTRIES_PER_CALL:
                shard, before = shard + 1, ""
                if tenant_id is not None or shard >= len(self._shards):
                    return EndedPage(tuple(found), looked_until, None)
            if read >= BYTES_PER_PAGE:
                break
        return EndedPage(tuple(found), looked_until, f"{shard}:{before}")

    def _place(self, cursor: str | None, first_shard: int) -> tuple[int, str]:
        if cursor is None:
            return first_shard, ""
        read = _CURSOR.fullmatch(cursor)
        if read is None or int(read[1]) >= len(self._shards):
            raise ValueError(f"{cursor!r} is not a cursor of such a listing")
        return int(read[1]), read[2] or ""

    async def _entries(self, shard: int, before: str) -> list[tuple[str, bytes]]:
        """Id and result of entries, the newest first."""
        root = self._shards.roots[shard]
        last = f"({before}" if before else "+"
        rows = await self._shards.functions.command(
            "XREVRANGE", shard_key(root, "results"), last, "-", "COUNT", ENTRIES_PER_CALL, key=root
        )
        return [(entry.decode(), _field(fields)) for entry, fields in rows]


def ended_job(at: float, untrusted_result: bytes) -> EndedJobRow | None:
    """None if the text is no result: a user of Redis may add such."""
    try:
        result = _decoder.decode(untrusted_result)
    except UNREADABLE:
        return None
    why = result.blocker.kind if result.blocker is not None else ""
    if result.error is not None:
        why = f"{result.error.type}: {result.error.message}"
    return EndedJobRow(
        ref=JobRef(result.tenant_id, result.job_id),
        at=at,
        status=result.status,
        module=result.endpoint_module,
        worker_id=result.worker_id,
        attempts=len(result.attempts),
        why=why,
    )


def _field(fields: dict[bytes, bytes] | list[bytes]) -> bytes:
    """redis-py gives a map, or, on a Cluster, a flat list."""
    pairs = fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))
    return pairs.get(b"result", b"")
