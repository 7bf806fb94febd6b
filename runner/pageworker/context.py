"""The attempt that a handler serves."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field


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
    flags: Mapping[str, bool] = field(default_factory=dict)
    """Flags of the operator, and whether each is on for this job: `context.flags.get("new_cart", False)`. A name that
    the operator has not set up is missing."""
    deadline: float
    """When the attempt is stopped, in seconds of `time.monotonic()`."""

    def remaining_seconds(self) -> float:
        """Seconds until the deadline, never below 0."""
        return max(0.0, self.deadline - time.monotonic())
