"""Which job and attempt a handler runs for."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """One attempt of one job. Read only."""

    job_id: str
    """Unique within its tenant."""
    tenant_id: str
    profile_id: str | None
    """None: the job runs in the tenant's ephemeral browser context, which is wiped once none of its jobs runs."""
    attempt: int
    """1 for the first attempt."""
    trace_id: str
    """32 hex digits."""
    module: str
    version: str
    """Of the module."""
    worker_id: str
    runner_id: str
    deadline: float
    """When the attempt is stopped, in seconds of `time.monotonic()`."""

    def remaining_seconds(self) -> float:
        """Seconds until the deadline, never below 0."""
        return max(0.0, self.deadline - time.monotonic())
