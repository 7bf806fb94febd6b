"""Pages about the fleet: overview, workers, runners, queues. Pure."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from pageworker_supervisor.api.status_page.job_views import ended_table
from pageworker_supervisor.api.status_page.layout import (
    PageView,
    duration,
    facts,
    instant,
    instant_ms,
    link,
    numbers,
    pages,
    part,
    section,
    size,
    state,
    table,
)
from pageworker_supervisor.api.status_page.markup import Address, Node, address, element
from pageworker_supervisor.contract.worker_report import ReportedRunner
from pageworker_supervisor.queue.ended_jobs import EndedJobRow
from pageworker_supervisor.queue.fleet_status import FleetStatus, FleetWorker, worker_state
from pageworker_supervisor.queue.fleet_workers import StoredDrain
from pageworker_supervisor.queue.pauses import PauseView
from pageworker_supervisor.queue.views import ShardStats, TenantStats

WORKERS_SHOWN = 10
"""On the overview: those that are not ready, first."""
WAITING_SHOWN = 10


class ShownRunner(Struct, frozen=True):
    """A runner, and the `worker.id` of its worker."""

    worker_id: str
    runner: ReportedRunner


def overview(here: Address, status: FleetStatus, stats: Sequence[ShardStats], ended: Sequence[EndedJobRow]) -> PageView:
    """What an operator looks at first."""
    of, queue = status.totals, status.queue
    waiting = [tenant for shard in stats for tenant in shard.tenants if tenant.jobs > tenant.running]
    waiting.sort(key=lambda tenant: tenant.running - tenant.jobs)
    unready_first = sorted(status.workers, key=lambda worker: (worker.state == "ready", worker.worker_id))
    more = len(status.workers) - WORKERS_SHOWN
    content = (
        numbers(
            (
                ("workers ready", part(of.ready, of.workers), address("/workers")),
                ("jobs running", queue.running, address("/jobs", state="running")),
                ("jobs queued", queue.queued, address("/jobs", state="queued")),
                ("jobs delayed", queue.delayed, address("/jobs", state="delayed")),
                ("jobs per minute", f"{of.jobs_per_minute:.0f}", None),
                ("dead letters", queue.dead_letters, address("/dead-letters")),
            )
        ),
        facts(
            (
                ("Runners", f"{of.runners_up} on {of.runner_slots} runner slots"),
                ("Pages", f"{of.jobs_running} jobs on {of.pages} pages"),
                ("Memory of runners", size(of.memory_bytes)),
                ("Callbacks that wait", queue.outbox_entries),
                ("Results to be written", queue.ending),
                ("Workers of unknown state", of.unknown),
                ("Time of Redis", instant(status.at)),
            )
        ),
        *_drains_and_pauses(status.drains, status.pauses),
        section(
            "Workers",
            _worker_table(unready_first[:WORKERS_SHOWN]),
            element("p", link(address("/workers"), f"{more} more workers")) if more > 0 else None,
        ),
        section("Tenants that wait", _waiting_table(waiting[:WAITING_SHOWN])),
        section("Jobs that ended last", ended_table(ended)),
    )
    return PageView("Overview", here, content, live=True)


def workers(here: Address, found: Sequence[FleetWorker], following: str | None) -> PageView:
    """A page of workers."""
    content = (_worker_table(found), pages(here, after=following))
    return PageView("Workers", here, content, live=True)


def runners(
    here: Address, found: Sequence[ShownRunner], following: str | None, tenant_id: str | None = None
) -> PageView:
    """The runners of a page of workers. `tenant_id`: only those of this tenant were looked for."""
    note = "A worker reports its eight largest runners."
    rows = [
        (
            one.runner.runner_id,
            one.worker_id,
            one.runner.tenant_id or "none yet",
            state(one.runner.state),
            part(one.runner.running, one.runner.pages),
            "not measured" if one.runner.memory_bytes is None else size(one.runner.memory_bytes),
        )
        for one in found
    ]
    heads = ("Runner", "Worker", "Tenant", "State", "Pages that run jobs", "Memory")
    empty = "No runner of this tenant is reported here." if tenant_id else "No runner is reported here."
    content = (element("p", note), table("Runners", heads, rows, empty), pages(here, after=following))
    return PageView("Runners", here, content, live=True)


def queues(
    here: Address, stats: Sequence[ShardStats], drains: Sequence[StoredDrain], pauses: Sequence[PauseView]
) -> PageView:
    """The numbers of each shard, and what stops jobs."""
    rows = [
        (
            one.shard,
            *(one.queued, one.delayed, one.running, one.ending),
            *(one.active_tenants, one.parked_tenants, one.profiles_held),
            *(one.outbox_entries, one.dead_letters, one.workers),
        )
        for one in stats
    ]
    heads = (
        *("Shard", "Queued", "Delayed", "Running", "Ending"),
        *("Tenants that wait", "Tenants at a limit", "Profiles open"),
        *("Callbacks that wait", "Dead letters", "Workers"),
    )
    tenants = [tenant for shard in stats for tenant in shard.tenants]
    content = (
        table("Shards", heads, rows, "There is no shard."),
        *_drains_and_pauses(drains, pauses, always=True),
        section("Tenants with jobs", _waiting_table(tenants), element("p", "At most 100 of each shard.")),
    )
    return PageView("Queues", here, content, live=True)


def _worker_table(found: Iterable[FleetWorker]) -> Node:
    heads = (
        *("Worker", "State", "Why", "Host", "Runners", "Jobs", "Memory"),
        *("Per minute", "Page time", "Version", "Tags", "Reported"),
    )
    return table("Workers", heads, map(_worker_row, found), "No worker has reported.")


def _worker_row(worker: FleetWorker) -> Sequence[Node]:
    report, shown = worker.report, state(worker_state(worker))
    if report is None:
        return (worker.worker_id, shown, worker.reason, *("?",) * 8, instant(worker.unknown_since))
    known = worker.state != "unknown"
    load = (
        part(report.runners_up, report.runner_slots),
        part(report.jobs_running, report.pages),
        size(report.memory_bytes),
        f"{report.jobs_per_minute:.0f}",
        "" if report.service_seconds is None else duration(report.service_seconds),
    )
    return (
        *(worker.worker_id, shown, worker.reason, report.host),
        *(load if known else ("?",) * len(load)),
        *(report.version, ", ".join(report.tags), instant(report.reported_at)),
    )


def _waiting_table(tenants: Iterable[TenantStats]) -> Node:
    rows = [
        (
            link(address("/tenant", tenant_id=tenant.tenant_id), tenant.tenant_id),
            tenant.running,
            tenant.jobs - tenant.running,
            tenant.throttled or ("" if not tenant.parked else "waits for its next job"),
        )
        for tenant in tenants
    ]
    return table("Tenants", ("Tenant", "Running", "Other jobs", "Waits for"), rows, "No tenant has jobs that wait.")


def _drains_and_pauses(
    drains: Sequence[StoredDrain], pauses: Sequence[PauseView], *, always: bool = False
) -> Iterable[Node]:
    if drains or always:
        rows = [
            (each.name, instant_ms(each.since_ms), instant_ms(each.deadline_ms), each.who, each.reason)
            for each in drains
        ]
        heads = ("Drain of", "Since", "Deadline", "By", "Reason")
        yield section("Drains", table("Drains", heads, rows, "No drain is stored."))
    if pauses or always:
        paused = [
            (
                f"{each.kind} {each.name}",
                instant_ms(each.since_ms),
                "no end" if each.until_ms is None else instant_ms(each.until_ms),
                each.by,
                each.reason,
            )
            for each in pauses
        ]
        heads = ("Paused", "Since", "Until", "By", "Reason")
        yield section("Pauses", table("Pauses", heads, paused, "Nothing is paused."))
