"""What the queue keeps of a text that is no job."""

import asyncio
import datetime as dt
import hashlib
from typing import Any

import msgspec

from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.new_job import push_text

DIGESTED_INLINE_BYTES = 1024 * 1024


async def described(raw: bytes, reading: str, kept_bytes: int) -> tuple[str, dict[str, Any]]:
    """The push, and what the dead letter tells of a text that is kept in part. A huge text does not block the loop."""
    if len(raw) <= DIGESTED_INLINE_BYTES:
        return push_text(raw, reading), whole_of(raw, kept_bytes)
    push = await asyncio.to_thread(push_text, raw, reading)
    return push, await asyncio.to_thread(whole_of, raw, kept_bytes)


def whole_of(text: bytes, kept_bytes: int) -> dict[str, Any]:
    """Size and digest of a text before it was cut; nothing where it was not cut."""
    if len(text) <= kept_bytes:
        return {}
    return {"text": {"bytes": len(text), "kept_bytes": kept_bytes, "sha256": hashlib.sha256(text).hexdigest()}}


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
