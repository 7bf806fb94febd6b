"""What `workerctl top` shows at one moment. Pure: sorting, rows and text."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from pageworker_supervisor.cli.fleet_status import WORKER_HEADS, queue_line, size, worker_row, workers_line
from pageworker_supervisor.cli.output import table
from pageworker_supervisor.contract.worker_report import ReportedRunner
from pageworker_supervisor.queue.fleet_status import FleetTotals, FleetWorker, QueueTotals, clock
from pageworker_supervisor.queue.views import TenantStats

SortKey = Literal["memory", "jobs", "name"]
RUNNER_HEADS = ("RUNNER", "WORKER", "TENANT", "STATE", "RUNNING", "PAGES", "MEMORY")
TENANT_HEADS = ("TENANT", "RUNNING", "OTHER JOBS", "WAITS FOR")
FAILURE_HEADS = ("FAILED AT", "JOB", "MODULE", "STATUS", "ERROR", "MESSAGE")
MOST_MESSAGE = 120


class TopRunner(Struct, frozen=True, kw_only=True):
    """A runner, and the `worker.id` of its worker."""

    worker_id: str
    runner: ReportedRunner


class TopFailure(Struct, frozen=True, kw_only=True):
    """A job that did not succeed. `at`: Unix seconds."""

    at: float
    job: str
    module: str
    status: str
    error: str
    message: str


class TopFrame(Struct, frozen=True, kw_only=True):
    """One moment of the fleet. `at`: Unix seconds on Redis' clock. `runners`: of each worker, the largest eight."""

    at: float
    totals: FleetTotals
    queue: QueueTotals
    workers: tuple[FleetWorker, ...]
    runners: tuple[TopRunner, ...]
    tenants: tuple[TenantStats, ...]
    failures: tuple[TopFailure, ...]
    """The newest first."""


def runners_of(workers: Sequence[FleetWorker]) -> tuple[TopRunner, ...]:
    """The runners of the workers whose state is known."""
    return tuple(
        TopRunner(worker_id=worker.worker_id, runner=runner)
        for worker in workers
        if worker.state != "unknown" and worker.report is not None
        for runner in worker.report.runners
    )


def head_lines(frame: TopFrame) -> str:
    """The totals, for the top of the screen."""
    return f"{clock(frame.at)}  {workers_line(frame.totals)}\n{queue_line(frame.queue)}"


def worker_rows(frame: TopFrame, by: SortKey) -> list[tuple[str, ...]]:
    """A row per worker."""

    def key(worker: FleetWorker) -> tuple[float, str]:
        report = worker.report if worker.state != "unknown" else None
        if report is None or by == "name":
            return 0.0, worker.name
        return -float(report.memory_bytes if by == "memory" else report.jobs_running), worker.name

    return [worker_row(worker) for worker in sorted(frame.workers, key=key)]


def runner_rows(frame: TopFrame, by: SortKey) -> list[tuple[str, ...]]:
    """A row per runner."""

    def key(one: TopRunner) -> tuple[float, str]:
        if by == "name":
            return 0.0, one.runner.runner_id
        return -float((one.runner.memory_bytes or 0) if by == "memory" else one.runner.running), one.runner.runner_id

    return [
        (
            one.runner.runner_id,
            one.worker_id,
            one.runner.tenant_id or "-",
            one.runner.state,
            str(one.runner.running),
            str(one.runner.pages),
            size(one.runner.memory_bytes) if one.runner.memory_bytes is not None else "?",
        )
        for one in sorted(frame.runners, key=key)
    ]


def tenant_rows(frame: TopFrame, by: SortKey) -> list[tuple[str, ...]]:
    """A row per tenant with waiting jobs: those with most jobs first, or by name."""

    def key(tenant: TenantStats) -> tuple[int, str]:
        return (0 if by == "name" else -tenant.jobs), tenant.tenant_id

    return [
        (one.tenant_id, str(one.running), str(one.jobs - one.running), one.throttled or "-")
        for one in sorted(frame.tenants, key=key)
    ]


def failure_rows(frame: TopFrame) -> list[tuple[str, ...]]:
    """A row per failure."""
    return [
        (clock(one.at), one.job, one.module, one.status, one.error or "-", one.message[:MOST_MESSAGE] or "-")
        for one in frame.failures
    ]


def frame_text(frame: TopFrame, by: SortKey) -> str:
    """The whole frame as text."""
    parts = [
        head_lines(frame),
        table(WORKER_HEADS, worker_rows(frame, by)),
        table(RUNNER_HEADS, runner_rows(frame, by)),
        table(TENANT_HEADS, tenant_rows(frame, by)),
        table(FAILURE_HEADS, failure_rows(frame)),
    ]
    return "\n\n".join(parts)
