"""The whole fleet, as Redis has it: from reports and numbers to what is known of each worker. Pure."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from pageworker_supervisor.contract.utc_time import utc_text
from pageworker_supervisor.contract.worker_report import ReportedState, WorkerReport
from pageworker_supervisor.queue.fleet_workers import HeardWorker, StoredDrain, WorkersPage
from pageworker_supervisor.queue.pauses import PauseView
from pageworker_supervisor.queue.views import ShardStats

FleetState = ReportedState | Literal["unknown"]
DOES_NOT_REPORT = "it does not report: an older version, or it has just started"


class FleetWorker(Struct, frozen=True, kw_only=True):
    """One run of a worker. In state `unknown`, nothing is known of it since `unknown_since` (Unix seconds)."""

    name: str
    worker_id: str
    state: FleetState
    reason: str
    unknown_since: float | None = None
    report: WorkerReport | None = None
    """Its last report, also if it is old."""


class FleetTotals(Struct, frozen=True, kw_only=True):
    """Sums over the workers whose state is known. Memory and rates are as old as the reports: up to ten seconds."""

    workers: int
    """All of them, unknown ones included."""
    ready: int
    unknown: int
    runner_slots: int
    runners_up: int
    pages: int
    jobs_running: int
    memory_bytes: int
    jobs_per_minute: float


class QueueTotals(Struct, frozen=True, kw_only=True):
    """Numbers of the queue, over all shards."""

    queued: int
    delayed: int
    running: int
    ending: int
    waiting_tenants: int
    """Tenants with jobs that could run, but for limits and pages."""
    outbox_entries: int
    dead_letters: int


class FleetStatus(Struct, frozen=True, kw_only=True):
    """The fleet at one moment. `at`: Unix seconds on Redis' clock."""

    at: float
    workers: tuple[FleetWorker, ...]
    totals: FleetTotals
    queue: QueueTotals
    drains: tuple[StoredDrain, ...]
    pauses: tuple[PauseView, ...] = ()


def fleet_worker(heard: HeardWorker, now: float) -> FleetWorker:
    """What is known of a worker at `now`, Unix seconds on Redis' clock."""
    report = heard.report
    if report is None:
        worker_id = heard.name.rpartition(".")[0] or heard.name
        return FleetWorker(
            name=heard.name,
            worker_id=worker_id,
            state="unknown",
            reason=DOES_NOT_REPORT,
            unknown_since=heard.heard_at,
        )
    if report.silent(now):
        since = report.reported_at
        reason = f"silent since {clock(since)}"
        return FleetWorker(
            name=heard.name,
            worker_id=report.worker_id,
            state="unknown",
            reason=reason,
            unknown_since=since,
            report=report,
        )
    return FleetWorker(
        name=heard.name, worker_id=report.worker_id, state=report.state, reason=report.reason, report=report
    )


def fleet_status(page: WorkersPage, stats: Sequence[ShardStats], pauses: Sequence[PauseView] = ()) -> FleetStatus:
    """All of it. `page` has every worker."""
    workers = sorted(
        (fleet_worker(heard, page.now) for heard in page.workers), key=lambda one: (one.worker_id, one.name)
    )
    return FleetStatus(
        at=page.now,
        workers=tuple(workers),
        totals=totals(workers),
        queue=queue_totals(stats),
        drains=page.drains,
        pauses=tuple(pauses),
    )


def totals(workers: Sequence[FleetWorker]) -> FleetTotals:
    """Sums over the workers whose state is known."""
    known = [one.report for one in workers if one.state != "unknown" and one.report is not None]
    return FleetTotals(
        workers=len(workers),
        ready=sum(one.state == "ready" for one in workers),
        unknown=sum(one.state == "unknown" for one in workers),
        runner_slots=sum(one.runner_slots for one in known),
        runners_up=sum(one.runners_up for one in known),
        pages=sum(one.pages for one in known),
        jobs_running=sum(one.jobs_running for one in known),
        memory_bytes=sum(one.memory_bytes for one in known),
        jobs_per_minute=sum(one.jobs_per_minute for one in known),
    )


def queue_totals(stats: Sequence[ShardStats]) -> QueueTotals:
    """Sums over the shards."""
    return QueueTotals(
        queued=sum(one.queued for one in stats),
        delayed=sum(one.delayed for one in stats),
        running=sum(one.running for one in stats),
        ending=sum(one.ending for one in stats),
        waiting_tenants=sum(one.active_tenants + one.parked_tenants for one in stats),
        outbox_entries=sum(one.outbox_entries for one in stats),
        dead_letters=sum(one.dead_letters for one in stats),
    )


def worker_state(worker: FleetWorker) -> str:
    """The state; a worker that is drained is `drained`, not `draining`."""
    return "drained" if (worker.state, worker.reason) == ("draining", "drained") else worker.state


def clock(at: float) -> str:
    """Unix seconds as the time of day in UTC, with the date; `?`: they are no time."""
    return utc_text(at, "%Y-%m-%d %H:%M:%SZ")
