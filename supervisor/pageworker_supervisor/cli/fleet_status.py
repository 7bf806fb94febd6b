"""The whole fleet as text for people: `workerctl status --fleet`. Pure."""

from pageworker_supervisor.cli.output import table
from pageworker_supervisor.queue.fleet_status import (
    FleetStatus,
    FleetTotals,
    FleetWorker,
    QueueTotals,
    clock,
    worker_state,
)
from pageworker_supervisor.queue.pauses import PauseView


def fleet_text(status: FleetStatus) -> str:
    """For a person."""
    parts = [f"{workers_line(status.totals)}\n{queue_line(status.queue)}"]
    if status.drains:
        rows = [
            (drain.name, clock(drain.since_ms / 1000), clock(drain.deadline_ms / 1000), drain.who, drain.reason or "-")
            for drain in status.drains
        ]
        parts.append(table(("DRAIN OF", "SINCE", "DEADLINE", "BY", "REASON"), rows))
    if status.pauses:
        paused = [
            (f"{pause.kind} {pause.name}", clock(pause.since_ms / 1000), pause_end(pause), pause.by, pause.reason)
            for pause in status.pauses
        ]
        parts.append(table(("PAUSED", "SINCE", "UNTIL", "BY", "REASON"), paused))
    if status.workers:
        parts.append(table(WORKER_HEADS, map(worker_row, status.workers)))
    return "\n\n".join(parts)


def pause_end(pause: PauseView) -> str:
    """When it ends."""
    return "-" if pause.until_ms is None else clock(pause.until_ms / 1000)


def workers_line(of: FleetTotals) -> str:
    """The workers in one line."""
    unknown = f", {of.unknown} unknown" if of.unknown else ""
    return (
        f"{of.workers} workers: {of.ready} ready{unknown}; {of.runners_up} runners on {of.runner_slots} slots, "
        f"{of.jobs_running} jobs on {of.pages} pages, {size(of.memory_bytes)}, {of.jobs_per_minute:.0f} jobs per minute"
    )


def queue_line(of: QueueTotals) -> str:
    """The queue in one line."""
    return (
        f"queue: {of.queued} queued of {of.waiting_tenants} tenants, {of.delayed} delayed, {of.running} running, "
        f"{of.ending} ending; {of.outbox_entries} callbacks wait, {of.dead_letters} dead letters"
    )


WORKER_HEADS = ("WORKER", "HOST", "STATE", "RUNNERS", "JOBS", "MEMORY", "JOBS/MIN", "SERVICE", "VERSION", "TAGS", "WHY")


def worker_row(worker: FleetWorker) -> tuple[str, ...]:
    """One row of the table of workers. What is not known now is `?`."""
    report = worker.report
    if report is None:
        return (worker.worker_id, "?", worker.state, "?", "?", "?", "?", "?", "?", "?", worker.reason)
    who = (worker.worker_id, report.host, worker_state(worker))
    what = (report.version, ",".join(report.tags) or "-", worker.reason or "-")
    if worker.state == "unknown":
        return (*who, "?", "?", "?", "?", "?", *what)
    service = f"{report.service_seconds:.1f} s" if report.service_seconds is not None else "-"
    return (
        *who,
        f"{report.runners_up}/{report.runner_slots}",
        f"{report.jobs_running}/{report.pages}",
        size(report.memory_bytes),
        f"{report.jobs_per_minute:.0f}",
        service,
        *what,
    )


def size(count: int) -> str:
    """Bytes as a person reads them."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
