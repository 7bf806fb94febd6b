"""Writes and reads the audit log."""

import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from pageworker_supervisor.audit.chain import TRIM, ChainReport, Checkpoint, verify_chain
from pageworker_supervisor.audit.checkpoint_file import CheckpointFile
from pageworker_supervisor.audit.errors import AuditBusy, AuditRefused
from pageworker_supervisor.audit.record import (
    NO_MAC,
    Actor,
    AuditEntry,
    AuditKey,
    AuditLine,
    encode_line,
    parse_line,
)
from pageworker_supervisor.queue.audit_store import AuditHead, AuditStore
from pageworker_supervisor.queue.errors import AuditHeadDamaged
from pageworker_supervisor.redis_client.errors import RedisClientError

TRIES = 50
MOST_RECORDS = 200_000
"""Above it the oldest are trimmed, whatever `audit.keep_days` says: about 150 MB."""
DAY_MS = 86_400_000
TRIMMED_AT_LEAST = 100
"""Each trimming is a record itself."""
TRIMMED_AT_MOST = 2_000
"""A command waits for the trimming. What is left is trimmed with the next records."""
TRIM_SECONDS = 0.2
"""Of reading what is old. A command has a second for its record, and is refused without it."""


class AuditLog:
    """One writer of the chain. All methods raise RedisClientError."""

    def __init__(
        self,
        store: AuditStore,
        key: AuditKey,
        actor: Actor,
        checkpoint: CheckpointFile,
        keep_days: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock`: Unix seconds of this host. A record is old only if it is old by this clock and by that of Redis."""
        self._store = store
        self._key = key
        self._actor = actor
        self._checkpoint = checkpoint
        self._keep_ms = keep_days * DAY_MS
        self._clock = clock

    async def append(self, entry: AuditEntry) -> int:
        """Append a record; returns its number. Raises AuditBusy if others were faster for too long, AuditRefused if the
        head of the log in Redis is damaged."""
        number, head = await self._append(entry)
        if self._overdue(head):
            # The record is written. What is too old is tried again with the next one.
            with suppress(RedisClientError, AuditBusy):
                await self._trim(head, number)
        return number

    async def _append(self, entry: AuditEntry, trimmed: int | None = None) -> tuple[int, AuditHead]:
        nonce = secrets.token_hex(8)
        for _ in range(TRIES):
            known = self._checkpoint.read()
            head = await read_head(self._store, known.number if known is not None else 0)
            line = self._key.line(head.seq + 1, head.mac, head.now_ms, self._actor, entry, nonce)
            text = encode_line(line)
            if await self._store.append(line.number, head.mac, head.now_ms, line.mac, text, trimmed):
                # A chain that does not hold the record that was seen before is not followed: `verify` reports it.
                if known is None or known.mac == head.seen_mac:
                    self._checkpoint.advance(Checkpoint(line.number, line.mac))
                return line.number, head
        raise AuditBusy("other writers of the audit log were faster each time: try again")

    def _overdue(self, head: AuditHead) -> bool:
        old = head.first_at_ms is not None and head.now_ms - head.first_at_ms > self._keep_ms
        return head.length > MOST_RECORDS or (old and head.length > TRIMMED_AT_LEAST)

    async def _trim(self, head: AuditHead, newest: int) -> None:
        """Drop what is too old, or the first part of it. A record says how far, and has the code of the last one that
        goes.

        That record makes what is left a whole chain. So only records are dropped that are proven to be the whole
        beginning of this chain, and whose numbers and times are proven: who can write to Redis, and has no key, must
        not have evidence dropped. Records of another key stay.
        """
        now_ms = min(head.now_ms, round(self._clock() * 1000))
        through: AuditLine | None = None
        first, until = 0, time.monotonic() + TRIM_SECONDS
        async for text in self._store.lines():
            line = parse_line(text)
            if line is None or not self._key.made(line):
                return
            if through is None:
                first = line.number
                if not await self._begins(line):
                    return
            elif (line.number, line.previous) != (through.number + 1, through.mac):
                return
            at_ms = line.record.get("at_ms")
            kept = newest - line.number < MOST_RECORDS
            if not isinstance(at_ms, int) or (now_ms - at_ms <= self._keep_ms and kept):
                break
            through = line
            if line.number - first + 1 >= TRIMMED_AT_MOST or time.monotonic() > until:
                break
        if through is not None:
            detail: dict[str, str | int] = {"through": through.number, "mac": through.mac}
            entry = AuditEntry(action=TRIM, target=f"records up to {through.number}", outcome="done", detail=detail)
            await self._append(entry, through.number)

    async def _begins(self, line: AuditLine) -> bool:
        """Whether nothing is missing before this record: it is the first one, or a trimming ended before it."""
        if line.number == 1:
            return line.previous == NO_MAC
        async for text in self._store.newest_lines():
            trim = parse_line(text)
            if trim is None or trim.record.get("action") != TRIM or not self._key.made(trim):
                continue
            if trim.record.get("detail") == {"through": line.number - 1, "mac": line.previous}:
                return True
        return False


async def read_lines(store: AuditStore, newest: int | None = None) -> AsyncIterator[AuditLine | None]:
    """The stored records, oldest first. None: one that cannot be read. Raises RedisClientError."""
    async for text in store.lines(newest):
        yield parse_line(text)


async def read_head(store: AuditStore, seen: int = 0) -> AuditHead:
    """The newest record, see AuditStore.head. Raises RedisClientError, AuditRefused if it is damaged."""
    try:
        return await store.head(seen)
    except AuditHeadDamaged as damaged:
        mend = (
            f"Another program has written it. Delete the key {damaged.key}: the number of the newest record is then"
            " found in the log. `workerctl audit verify` says whether the log is whole."
        )
        raise AuditRefused(str(damaged), mend) from damaged


async def verify_store(
    store: AuditStore, keys: dict[str, AuditKey], checkpoint: CheckpointFile | None
) -> tuple[ChainReport, list[AuditLine]]:
    """Verify all that is stored, against this host's checkpoint, which then advances if all is well.

    Raises RedisClientError, and AuditRefused if the head of the log is damaged.
    """
    known = checkpoint.read() if checkpoint is not None else None
    head = await read_head(store)
    lines = [line async for line in read_lines(store)]
    points = [point for point in (known, Checkpoint(head.seq, head.mac)) if point is not None and point.number > 0]
    report = verify_chain(lines, keys, points)
    if checkpoint is not None and report.whole and report.last > 0:
        checkpoint.advance(report.checkpoint)
    return report, [line for line in lines if line is not None]
