"""The tables of batches that Lua shares with Python: fields of a record, and the statuses that it counts."""

from typing import get_args

from pageworker_supervisor.contract.result import Status

STATUSES: tuple[Status, ...] = get_args(Status)

BATCH_FIELDS: dict[str, str] = {
    "state": "one of `BatchState`; written by `Batch.transition` alone",
    "size": "how many jobs close it; empty: it is closed by a call",
    "complete_on": "`all_ended` or `first_failure`",
    "callback_url": "gets the completion; empty: none",
    "digest": "of what it was opened with: the same call again is recognised",
    "created_at": "when it was opened",
    "deadline_ms": "how long a round may last",
    "deadline_at": "when this round is completed at the latest",
    "keep_ms": "how long it is kept after its completion",
    "completed_at": "when this round was completed",
    "reason": "why it was completed: `all_ended`, `cancelled`, `first_failure` or `deadline`",
    "round": "number of the round, from 1",
    "reopened": "1 while a retry queues its failed jobs",
    "cancel_requested": "1 once its cancellation was acknowledged in this round",
    "cancel_from": "number of the job after which a cancellation goes on",
    "added": "how many jobs it has",
    **dict.fromkeys(map(str, STATUSES), "how many of them ended so"),
}
"""The fields of a batch's record, `batch:<batch>` in Redis: name and meaning.

A test holds the Lua sources and docs/redis-keys.md against this table. Times are milliseconds since the epoch on Redis'
clock.
"""

NO_FAILURES = frozenset({"succeeded", "cancelled"})
"""Statuses that do not complete a batch with `first_failure`."""
