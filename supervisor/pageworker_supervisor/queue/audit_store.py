"""The audit log in Redis: its order, not its codes. All methods raise RedisClientError.

queue/lua/fn_record.lua has the functions. Every call may be repeated with the same arguments.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from pageworker_supervisor.queue.errors import AuditHeadDamaged
from pageworker_supervisor.queue.functions import Shards, opaque, unpacked
from pageworker_supervisor.queue.library import shard_key

SHARD = 0
RECORDS_PER_CALL = 500


class AuditHead(Struct, frozen=True, kw_only=True):
    """The newest record, the code of the one that was asked for ("": it is not stored), and the oldest one's time."""

    seq: Annotated[int, Meta(ge=0)]
    mac: str
    seen_mac: str
    now_ms: int
    length: int
    first: int | None = None
    first_at_ms: int | None = None


class AuditStore:
    """The stream of records on shard 0."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards
        self._key = shard_key(shards.roots[SHARD], "audit")

    async def head(self, seen: int = 0) -> AuditHead:
        """The newest record. `seen`: number of a record whose code is wanted, too. Raises AuditHeadDamaged."""
        reply = await self._shards.call(SHARD, "record_head", seen=seen)
        try:
            return msgspec.convert(unpacked(reply), AuditHead)
        except (msgspec.ValidationError, UnicodeDecodeError) as error:
            raise AuditHeadDamaged(shard_key(self._shards.roots[SHARD], "audit_head"), str(error)) from error

    async def append(
        self, seq: int, previous: str, at_ms: int, mac: str, line: bytes, trim_through: int | None = None
    ) -> bool:
        """Store the next record, and perhaps drop the first ones. False: another one was faster."""
        more = {} if trim_through is None else {"trim_through": trim_through}
        # Settled: a failover must not take a record back after the command has acted.
        word: bytes = await self._shards.settled_call(
            SHARD, "record_append", seq=seq, previous=previous, at_ms=at_ms, mac=mac, line=opaque(line), **more
        )
        return word == b"stored"

    async def lines(self, newest: int | None = None) -> AsyncIterator[bytes]:
        """The records in the order in which they are stored, oldest first; with `newest`, only that many of the end."""
        if newest is not None:
            for _, fields in reversed(await self._entries("XREVRANGE", "+", "-", newest)):
                yield _line(fields)
            return
        async for line in self._pages("XRANGE", "-", "+"):
            yield line

    def newest_lines(self) -> AsyncIterator[bytes]:
        """All records, newest first."""
        return self._pages("XREVRANGE", "+", "-")

    async def _pages(self, command: str, start: str, end: str) -> AsyncIterator[bytes]:
        """All records from `start` to `end`."""
        while True:
            entries = await self._entries(command, start, end, RECORDS_PER_CALL)
            for _, fields in entries:
                yield _line(fields)
            if len(entries) < RECORDS_PER_CALL:
                return
            start = f"({entries[-1][0].decode()}"

    async def _entries(self, command: str, start: str, end: str, count: int) -> Sequence[Any]:
        # Any: redis-py does not type the reply, pairs of an id and its fields.
        entries: Sequence[Any] = await self._shards.functions.command(
            command, self._key, start, end, "COUNT", count, key=self._key
        )
        return entries


def _line(fields: dict[bytes, bytes] | list[bytes]) -> bytes:
    """Depending on the protocol, an entry's fields come as a map or as a list."""
    pairs = fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=False))
    return pairs.get(b"line", b"")
