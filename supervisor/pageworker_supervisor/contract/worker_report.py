"""What each worker reports of itself in Redis, for the fleet's tools. Pure.

The reports are the hash `<prefix>:{0}:worker_reports`: one field per run of a worker, its value is the report as JSON.
A worker writes its report every ten seconds and whenever its state changes.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from pageworker_supervisor.contract.job_errors import UNREADABLE

ReportedState = Literal["starting", "ready", "draining", "cut_off", "failing", "stopped"]
"""In `cut_off` Redis is away or refuses calls, in `failing` no job could run here, or the load of the host is too high
for any. A worker in these states takes no jobs."""
SILENT_SECONDS = 30.0
"""A worker whose last report is older is silent: nothing is known of its state now."""
FORGOTTEN_SECONDS = 180.0
"""If a worker sends no report for this time, its last report does not count, and is removed."""
RUNNERS_REPORTED = 8
MODULES_REPORTED = 32

# Far above what a worker can report. Who can write to Redis must not move sums of the fleet by more, nor fill a screen.
Instant = Annotated[float, Meta(ge=0, le=1e11)]
Number = Annotated[int, Meta(ge=0, le=1_000_000)]
Size = Annotated[int, Meta(ge=0, le=2**53)]
Rate = Annotated[float, Meta(ge=0, le=1e9)]
Name = Annotated[str, Meta(max_length=1000)]


class ReportedRunner(Struct, frozen=True, kw_only=True):
    """One runner of a worker. `memory_bytes`: proportional set size of its process tree; None until it is measured."""

    runner_id: Name
    tenant_id: Name | None
    state: Name
    pages: Number
    """Pages that it has."""
    running: Number
    """Pages that run a job."""
    memory_bytes: Size | None = None


class RefusedModule(Struct, frozen=True, kw_only=True):
    """A version that runners of this tenant could not load (ADR 91)."""

    module: Name
    version: Name
    tenant_id: Name
    reason: Name


class WorkerReport(Struct, frozen=True, kw_only=True):
    """One worker. Times are Unix seconds.

    A reader ignores fields that it does not know, so workers of different versions may share a Redis.
    """

    worker_id: Name
    """The setting `worker.id`."""
    name: Name
    """This run of the worker, `<worker id>.<nonce>`: the field of the hash, and the holder of its leases."""
    host: Name
    version: Name
    state: ReportedState
    reason: Annotated[str, Meta(max_length=100_000)]
    """Why it takes no jobs, or in state `ready` not all; "" while it takes all."""
    tags: Annotated[tuple[Name, ...], Meta(max_length=1000)]
    started_at: Instant
    runner_slots: Number
    pages: Number
    """Most jobs that can run at once: runner slots times pages per browser context."""
    runners_up: Number
    jobs_running: Number
    draining_until: Instant | None
    """Deadline of its drain; None while it does not drain."""
    config_version: Size
    """Version of the central configuration; 0 without one."""
    service_seconds: Rate | None
    """Mean seconds that a job holds its page, over the last jobs; None: no job has ended here recently."""
    jobs_per_minute: Rate
    """Jobs that gave back their page in the last minute."""
    memory_bytes: Size
    """Proportional set size of all its runners, as far as it is measured."""
    runners: Annotated[tuple[ReportedRunner, ...], Meta(max_length=1000)] = ()
    """The largest by memory, at most RUNNERS_REPORTED."""
    modules_refused: Annotated[tuple[RefusedModule, ...], Meta(max_length=1000)] = ()
    """The newest ones, at most MODULES_REPORTED."""
    reported_at: Instant = 0.0
    """When Redis got the report, on Redis' clock."""

    def silent(self, now: float) -> bool:
        """Whether the state is unknown: the report is too old at `now`, Unix seconds on Redis' clock."""
        return now - self.reported_at > SILENT_SECONDS

    def forgotten(self, now: float) -> bool:
        """Whether the report does not count any more at `now`, Unix seconds on Redis' clock."""
        return now - self.reported_at > FORGOTTEN_SECONDS


def parse_worker_report(untrusted_text: bytes) -> WorkerReport | None:
    """A value of the hash. None if it is no report: others may write to Redis, too."""
    try:
        return msgspec.json.decode(untrusted_text, type=WorkerReport)
    except UNREADABLE:
        return None
