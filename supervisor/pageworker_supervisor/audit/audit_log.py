"""Writes and reads the audit log."""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import suppress

from pageworker_supervisor.audit.chain import TRIM, ChainReport, Checkpoint, verify_chain
from pageworker_supervisor.audit.checkpoint_file import CheckpointFile
from pageworker_supervisor.audit.errors import AuditBusy
from pageworker_supervisor.audit.record import Actor, AuditEntry, AuditKey, AuditLine, encode_line, parse_line
from pageworker_supervisor.queue.audit_store import AuditHead, AuditStore
from pageworker_supervisor.redis_client.errors import RedisClientError

TRIES = 50
MOST_RECORDS = 200_000
"""Above it the oldest are trimmed, whatever `audit.keep_days` says: about 150 MB."""
DAY_MS = 86_400_000
TRIMMED_AT_LEAST = 100
"""Each trimming is a record itself."""
TRIMMED_AT_MOST = 2000
"""A command waits for the trimming. What is left is trimmed with the next records."""
TRIM_SECONDS = 0.2
"""Of reading what is old. A command has a second for its record, and is refused without it."""


class AuditLog:
    """One writer of the chain. All methods raise RedisClientError."""

    def __init__(
        self, store: AuditStore, key: AuditKey, actor: Actor, checkpoint: CheckpointFile, keep_days: int
    ) -> None:
        self._store = store
        self._key = key
        self._actor = actor
        self._checkpoint = checkpoint
        self._keep_ms = keep_days * DAY_MS

    async def append(self, entry: AuditEntry) -> int:
        """Append a record; returns its number. Raises AuditBusy if others were faster for too long."""
        number, head = await self._append(entry)
        if self._overdue(head):
            # The record is written. What is too old is tried again with the next one.
            with suppress(RedisClientError, AuditBusy):
                await self._trim(head)
        return number

    async def _append(self, entry: AuditEntry, trimmed: int | None = None) -> tuple[int, AuditHead]:
        nonce = secrets.token_hex(8)
        for _ in range(TRIES):
            known = self._checkpoint.read()
            head = await self._store.head(known.number if known is not None else 0)
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

    async def _trim(self, head: AuditHead) -> None:
        """Drop what is too old, or the first part of it. A record says how far, and has the code of the last one that
        goes."""
        through: AuditLine | None = None
        left, until = head.length, time.monotonic() + TRIM_SECONDS
        async for text in self._store.lines():
            line = parse_line(text)
            if line is None:
                return  # the log is damaged: what an operator has to look at is not dropped
            at_ms = line.record.get("at_ms")
            if not isinstance(at_ms, int) or (head.now_ms - at_ms <= self._keep_ms and left <= MOST_RECORDS):
                break
            through, left = line, left - 1
            if head.length - left >= TRIMMED_AT_MOST or time.monotonic() > until:
                break
        if through is not None:
            detail: dict[str, str | int] = {"through": through.number, "mac": through.mac}
            entry = AuditEntry(action=TRIM, target=f"records up to {through.number}", outcome="done", detail=detail)
            await self._append(entry, through.number)


async def read_lines(store: AuditStore, newest: int | None = None) -> AsyncIterator[AuditLine | None]:
    """The stored records, oldest first. None: one that cannot be read. Raises RedisClientError."""
    async for text in store.lines(newest):
        yield parse_line(text)


async def verify_store(
    store: AuditStore, keys: dict[str, AuditKey], checkpoint: CheckpointFile | None
) -> tuple[ChainReport, list[AuditLine]]:
    """Verify all that is stored, against this host's checkpoint, which then advances if all is well."""
    known = checkpoint.read() if checkpoint is not None else None
    head = await store.head()
    lines = [line async for line in read_lines(store)]
    points = [point for point in (known, Checkpoint(head.seq, head.mac)) if point is not None and point.number > 0]
    report = verify_chain(lines, keys, points)
    if checkpoint is not None and report.whole and report.last > 0:
        checkpoint.advance(report.checkpoint)
    return report, [line for line in lines if line is not None]
