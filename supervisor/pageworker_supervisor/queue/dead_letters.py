"""Dead letters: looked at, taken back into the queue with or without a change, or thrown away.

A bulk action is given the ids that were shown, so it touches exactly what was previewed.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from pageworker_supervisor.contract.context_key import ContextKey, parse_context
from pageworker_supervisor.contract.job import Job, parse_job
from pageworker_supervisor.queue.functions import FunctionCalls
from pageworker_supervisor.queue.options import DeadLetter, DeadLetterPage, JobPatch, Revived
from pageworker_supervisor.redis_client.sharding import root, shard_of

PURGED_PER_CALL = 256

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _Place(msgspec.Struct, frozen=True):
    """What a letter keeps of the job's place in the queue."""

    p: str
    c: str
    d: str
    tenant: str
    domain: str


class DeadLetters:
    """The dead letters of all shards, newest first within a shard."""

    def __init__(self, calls: FunctionCalls, prefix: str, shards: int) -> None:
        self._calls = calls
        self._roots = [root(prefix, shard) for shard in range(shards)]

    async def page(self, count: int, cursor: str | None, tenant_id: str | None) -> DeadLetterPage:
        """A page of at most `count` letters; with `tenant_id` only that tenant's, at the cost of those."""
        if tenant_id is not None:
            return await self._page_of(tenant_id, count, cursor)
        shard, _, before = (cursor or "0:").partition(":")
        base = self._roots[int(shard)]
        last = f"({before}" if before else "+"
        rows = await self._calls.command("XREVRANGE", f"{base}:dead", last, "-", "COUNT", count, key=base)
        letters = tuple(_letter(int(shard), row) for row in rows)
        if len(rows) == count:
            following: str | None = f"{shard}:{rows[-1][0].decode()}"
        else:
            following = f"{int(shard) + 1}:" if int(shard) + 1 < len(self._roots) else None
        return DeadLetterPage(letters, following)

    async def _page_of(self, tenant_id: str, count: int, cursor: str | None) -> DeadLetterPage:
        shard, _, before = (cursor or f"{shard_of(tenant_id, len(self._roots))}:").partition(":")
        ends, rows = await self._calls.call("letters", self._roots[int(shard)], tenant_id, before, count)
        letters = tuple(_letter(int(shard), (entry, _fields(flat))) for entry, flat in rows)
        return DeadLetterPage(letters, f"{shard}:{ends.decode()}" if ends else None)

    async def show(self, letter_id: str) -> DeadLetter | None:
        """One letter."""
        row = await self._row(letter_id)
        return None if row is None else _letter(int(letter_id.partition("-")[0]), row)

    async def retry(self, ids: Sequence[str], edits: JobPatch) -> dict[str, Revived]:
        """Queue these jobs again. Raises ContractError where an edit makes a job that is none."""
        return {letter_id: await self._revive(letter_id, edits) for letter_id in ids}

    async def purge(self, ids: Sequence[str]) -> int:
        """Throw these letters away; returns how many there were."""
        count = 0
        for shard, base in enumerate(self._roots):
            entries = [entry for at, _, entry in (name.partition("-") for name in ids) if int(at) == shard]
            if entries:
                for at in range(0, len(entries), PURGED_PER_CALL):
                    count += await self._calls.call("purge", base, *entries[at : at + PURGED_PER_CALL])
        return count

    async def _row(self, letter_id: str) -> list[Any] | None:
        shard, _, entry = letter_id.partition("-")
        base = self._roots[int(shard)]
        rows = await self._calls.command("XRANGE", f"{base}:dead", entry, entry, key=base)
        return rows[0] if rows else None

    async def _revive(self, letter_id: str, edits: JobPatch) -> Revived:
        row = await self._row(letter_id)
        if row is None:
            return "gone"
        fields = row[1]
        if not fields[b"ticket"]:
            return "refused"
        place = msgspec.json.decode(fields[b"ticket"], type=_Place)
        body = edited(fields[b"job"], edits)
        job = parse_job(body)
        reply: bytes = await self._calls.call(
            "revive",
            self._roots[int(letter_id.partition("-")[0])],
            row[0],
            *_ticket(job, body, place),
        )
        revived: Revived = msgspec.convert(reply.decode(), Revived)
        return revived


def edited(body: bytes, edits: JobPatch) -> bytes:
    """The job's JSON with a new payload or module; everything else as it was."""
    if edits == JobPatch():
        return body
    fields = _object.decode(body)
    if edits.payload is not None:
        fields["payload"] = msgspec.Raw(edits.payload)
    if edits.endpoint_module is not None:
        fields["endpoint_module"] = msgspec.Raw(msgspec.json.encode(edits.endpoint_module))
    return msgspec.json.encode(fields)


def _ticket(job: Job, body: bytes, place: _Place) -> tuple[str | bytes | int, ...]:
    # A solo job gets its own context again only if it crashes again: an operator took the decision.
    context = ContextKey(job.tenant_id, job.profile_id, parse_context(job.tenant_id, place.c)[0].egress).text
    domain = job.domain_key or "-"
    domain_limits = place.domain or "1 1000 0 100"
    place_words = (str(job.ref), job.tenant_id, place.p, context, domain)
    return (*place_words, "", "", "", job.retry_count, place.tenant, domain_limits, body, "", "", 0)


def _fields(flat: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _letter(shard: int, row: Sequence[Any]) -> DeadLetter:
    entry, fields = row[0].decode(), row[1]
    return DeadLetter(
        id=f"{shard}-{entry}",
        job_id=fields[b"job_id"].decode() or None,
        tenant_id=fields[b"tenant_id"].decode() or None,
        reason=fields[b"reason"].decode(),
        job=fields[b"job"],
        detail=fields[b"letter"],
        at_ms=int(entry.partition("-")[0]),
        retryable=bool(fields[b"ticket"]),
    )
