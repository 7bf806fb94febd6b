"""A claimed job as the queue hands it out, for tests without a queue."""

from typing import Any

from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.claim import Lease


def new_lease(**changes: Any) -> Lease:
    """The first attempt of job `j` of tenant `acme`, with these fields instead."""
    fields: dict[str, Any] = {
        "ref": JobRef("acme", "j"),
        "profile_id": None,
        "shard": 0,
        "token": "t",
        "body": b"{}",
        "attempt": 1,
        "crashes": 0,
        "exclusive": False,
        "profile_fence": None,
        "ending": None,
        "queued_seconds": 0.0,
        "total_seconds": 0.0,
        "attempts": (),
        "priority": "normal",
    }
    return Lease(**fields | changes)
