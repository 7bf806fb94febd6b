"""Events on the channel `pw:events:<tenant_id>`."""

import datetime as dt
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from pageworker_supervisor.contract.result import ResultError

EventName = Literal[
    "rejected", "retrying", "blocked", "dead", "worker_lost", "callback_failed", "duplicate", "progress"
]
"""Events of one job, which a worker publishes. The queue itself publishes `worker_lost`, `duplicate`, `batch_done` and,
of a tenant or the fleet, `throttled`, `paused` and `unpaused` (queue/lua)."""


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class TenantEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that a tenant may want to know before the result, or in addition to it. Delivery is best effort.

    `detail` depends on the kind of event. It never holds a payload or a secret.
    """

    event: EventName
    job_id: str = ""
    """Absent in an event of a batch."""
    batch_id: str = ""
    tenant_id: str
    at: dt.datetime = field(default_factory=_now)
    attempt: int | None = None
    worker_id: str | None = None
    error: ResultError | None = None
    detail: dict[str, Any] | None = None


_encoder = msgspec.json.Encoder()


def encode_event(event: TenantEvent) -> bytes:
    """The JSON text of the event."""
    return _encoder.encode(event)
