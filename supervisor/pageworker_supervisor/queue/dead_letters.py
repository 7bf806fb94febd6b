"""Dead letters: inspected, taken back into the queue with or without a change, or deleted.

A bulk action is given the ids that were shown, so it touches exactly what was previewed.
"""

import re
from collections.abc import Sequence
from typing import Any, Literal, cast

import msgspec

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.contract.job import Job, JobRef, parse_job
from pageworker_supervisor.queue.functions import Shards, batches
from pageworker_supervisor.queue.library import shard_key
from pageworker_supervisor.queue.producer import NO_LIMITS, PRIORITY_OF, NewJob

PURGED_PER_CALL = 256

_LETTER_ID = re.compile(r"([0-9]{1,4})-([0-9]{1,19}-[0-9]{1,19})", re.ASCII)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])

Revived = Literal["queued", "duplicate", "gone", "refused"]
"""What became of a dead letter that was to be retried. refused: it is no job; push a corrected text instead."""


class JobPatch(msgspec.Struct, frozen=True, kw_only=True):
    """What changes in a job that is taken back from the dead letters."""

    payload: bytes | None = None
    endpoint_module: str | None = None


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter. `job_id` is None if the pushed text could not be read."""

    id: str
    """`<shard>-<stream id>`."""
    job_id: str | None
    tenant_id: str | None
    reason: str
    job: bytes
    """The job as it was pushed."""
    detail: bytes
    """JSON: the last error and the attempts."""
    at_ms: int
    retryable: bool
    """False for a rejected text: a corrected one has to be pushed."""

    @property
    def ref(self) -> JobRef | None:
        """The job's reference, if that could be read."""
        return JobRef(self.tenant_id, self.job_id) if self.tenant_id and self.job_id else None


class DeadLetterPage(msgspec.Struct, frozen=True):
    """A page of dead letters, newest first. `cursor` is None at the end."""

    letters: tuple[DeadLetter, ...]
    cursor: str | None


class _Place(msgspec.Struct, frozen=True):
    """The job's place in the queue, as queue/lua/dead_letter.lua keeps it in the letter's field `place`."""

    priority: str
    context: str
    domain: str
    tenant_limits: str
    domain_limits: str


class DeadLetters:
    """The dead letters of all shards, newest first within a shard. All methods raise RedisClientError."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def page(self, count: int = 50, cursor: str | None = None, tenant_id: str | None = None) -> DeadLetterPage:
        """A page of at most `count` letters; with `tenant_id` only that tenant's, at the cost of those."""
        if tenant_id is not None:
            return await self._page_of(tenant_id, count, cursor)
        text, _, before = (cursor or "0:").partition(":")
        shard = int(text)
        last = f"({before}" if before else "+"
        rows = await self._command(shard, "XREVRANGE", last, "-", "COUNT", count)
        letters = tuple(_letter(shard, row[0], row[1]) for row in rows)
        if len(rows) == count:
            following: str | None = f"{shard}:{rows[-1][0].decode()}"
        else:
            following = f"{shard + 1}:" if shard + 1 < len(self._shards) else None
        return DeadLetterPage(letters, following)

    async def _page_of(self, tenant_id: str, count: int, cursor: str | None) -> DeadLetterPage:
        text, _, before = (cursor or f"{self._shards.of(tenant_id)}:").partition(":")
        shard = int(text)
        ends, rows = await self._shards.call(shard, "list_dead_letters", tenant=tenant_id, before=before, limit=count)
        letters = tuple(_letter(shard, entry, _fields(flat)) for entry, flat in rows)
        return DeadLetterPage(letters, f"{shard}:{ends.decode()}" if ends else None)

    async def show(self, letter_id: str) -> DeadLetter | None:
        """One letter."""
        shard, row = await self._row(letter_id)
        return None if row is None else _letter(shard, row[0], row[1])

    async def retry(self, ids: Sequence[str], patch: JobPatch = JobPatch()) -> dict[str, Revived]:
        """Queue exactly these jobs again. Raises ContractError if the patch makes a job that is not valid."""
        return {letter_id: await self._revive(letter_id, patch) for letter_id in ids}

    async def purge(self, ids: Sequence[str]) -> int:
        """Delete exactly these letters; returns how many there were."""
        count = 0
        for shard in range(len(self._shards)):
            entries = [place[1] for place in map(_place_of, ids) if place is not None and place[0] == shard]
            for batch in batches(entries, PURGED_PER_CALL):
                count += await self._shards.call(shard, "purge", entries=list(batch))
        return count

    async def _command(self, shard: int, command: str, *args: str | int) -> Any:
        base = self._shards.roots[shard]
        return await self._shards.functions.command(command, shard_key(base, "dead"), *args, key=base)

    async def _row(self, letter_id: str) -> tuple[int, list[Any] | None]:
        shard, entry = _place_of(letter_id) or (0, "")
        if not entry or shard >= len(self._shards):
            return 0, None
        rows = await self._command(shard, "XRANGE", entry, entry)
        return shard, rows[0] if rows else None

    async def _revive(self, letter_id: str, patch: JobPatch) -> Revived:
        shard, row = await self._row(letter_id)
        if row is None:
            return "gone"
        entry, fields = row
        if not fields[b"place"]:
            return "refused"
        place = msgspec.json.decode(fields[b"place"], type=_Place)
        body = patched(fields[b"job"], patch)
        request = _job_request(parse_job(body), body, place)
        reply: bytes = await self._shards.call(shard, "revive", entry=entry.decode(), job=request)
        # The function replies one of these words.
        return cast(Revived, reply.decode())


def _place_of(untrusted_id: str) -> tuple[int, str] | None:
    """Shard and stream id of a letter; None if no letter has such an id."""
    match = _LETTER_ID.fullmatch(untrusted_id)
    return None if match is None else (int(match[1]), match[2])


def patched(body: bytes, patch: JobPatch) -> bytes:
    """The job's JSON with a new payload or module; everything else as it was."""
    if patch == JobPatch():
        return body
    fields = _object.decode(body)
    if patch.payload is not None:
        fields["payload"] = msgspec.Raw(patch.payload)
    if patch.endpoint_module is not None:
        fields["endpoint_module"] = msgspec.Raw(msgspec.json.encode(patch.endpoint_module))
    return msgspec.json.encode(fields)


def _job_request(job: Job, body: bytes, place: _Place) -> dict[str, object]:
    """The job as `enqueue` reads it: at once, without expiry, with the limits that it had."""
    context = ContextKey.parse(job.tenant_id, place.context)
    new = NewJob(
        job_id=job.job_id,
        tenant_id=job.tenant_id,
        priority=PRIORITY_OF[place.priority],
        body=body,
        module=(job.module_name, job.module_pin),
        profile_id=job.profile_id,
        # A job that ran alone gets a context of its own again only if it crashes again: an operator took the decision.
        egress=context.egress,
        options=context.options,
        flavor=context.flavor,
        proxy=context.proxy,
        one_page=context.one_page,
        isolation=context.isolation,
        domain=job.domain_key,
        attempts_used=job.retry_count,
        batch_id=job.batch_id,
    )
    return new.request_with(place.tenant_limits, place.domain_limits or NO_LIMITS, "")


def _fields(flat: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _letter(shard: int, entry: bytes, fields: dict[bytes, bytes]) -> DeadLetter:
    name = entry.decode()
    return DeadLetter(
        id=f"{shard}-{name}",
        job_id=fields[b"job_id"].decode() or None,
        tenant_id=fields[b"tenant_id"].decode() or None,
        reason=fields[b"reason"].decode(),
        job=fields[b"job"],
        detail=fields[b"letter"],
        at_ms=int(name.partition("-")[0]),
        retryable=bool(fields[b"place"]),
    )
