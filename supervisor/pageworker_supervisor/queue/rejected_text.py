"""What the queue notes of a text that is no job."""

import asyncio
import datetime as dt
from typing import Any

import msgspec

from pageworker_supervisor.contract.job_ref import JobRef
from pageworker_supervisor.queue.codec import push_text, whole_of

DIGESTED_AT_ONCE_BYTES = 1024 * 1024


async def described(raw: bytes, reading: str, kept_bytes: int) -> tuple[str, dict[str, Any]]:
    """The push, and what its dead letter tells of a text that is kept in part. A huge one does not hold up the loop."""
    if len(raw) <= DIGESTED_AT_ONCE_BYTES:
        return push_text(raw, reading), whole_of(raw, kept_bytes)
    push = await asyncio.to_thread(push_text, raw, reading)
    return push, await asyncio.to_thread(whole_of, raw, kept_bytes)


def rejected_event(ref: JobRef, reason: str) -> bytes:
    """The event that tells its tenant."""
    event = {
        "event": "rejected",
        "job_id": ref.job_id,
        "tenant_id": ref.tenant_id,
        "at": dt.datetime.now(dt.UTC),
        "detail": {"reason": reason},
    }
    return msgspec.json.encode(event)
