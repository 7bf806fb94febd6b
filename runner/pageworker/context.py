"""Whose job this is."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """One attempt of one job, as the worker sees it. Read only."""

    job_id: str
    tenant_id: str
    profile_id: str | None
    """None: the tenant's ephemeral context, forgotten once none of its jobs runs."""
    attempt: int
    """Counts from 1."""
    trace_id: str
    module: str
    version: str
    worker_id: str
    runner_id: str
    deadline: float
    """When the attempt is cut off, on the clock of `time.monotonic()`."""

    def remaining_seconds(self) -> float:
        """What is left of the attempt's budget; never below 0."""
        return max(0.0, self.deadline - time.monotonic())
