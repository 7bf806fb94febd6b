"""What cannot be known of a worker is not shown as if it were."""

from typing import Any

from pw_worker.reports import worker_report

from pageworker_supervisor.api.status_page import fleet_views
from pageworker_supervisor.api.status_page.fleet_views import ShownRunner
from pageworker_supervisor.api.status_page.markup import Address, element, rendered
from pageworker_supervisor.contract.worker_report import ReportedRunner
from pageworker_supervisor.queue.fleet_status import fleet_status, fleet_worker
from pageworker_supervisor.queue.fleet_workers import HeardWorker, WorkersPage
from pageworker_supervisor.queue.views import ShardStats, TenantStats

NOW = 1_800_000_000.0
HERE = Address("/")


def heard(name: str, age: float, **fields: Any) -> HeardWorker:
    return HeardWorker(name=name, heard_at=NOW, report=worker_report(name, reported_at=NOW - age, **fields))


def test_the_overview_has_what_is_not_ready_first_and_a_bounded_number() -> None:
    workers = (*(heard(f"w{n:02}", 1, memory_bytes=2**20) for n in range(30)), heard("x", 99))
    page = WorkersPage(now=NOW, workers=workers, drains=(), position=None)
    tenants = tuple(TenantStats(tenant_id=f"t{n}", jobs=n + 1, running=1, parked=False) for n in range(20))
    numbers: dict[str, Any] = dict.fromkeys(
        ("queued", "delayed", "running", "ending", "active_tenants", "parked_tenants", "profiles_held", "batches"), 3
    )
    stats = [ShardStats(shard=0, outbox_entries=1, dead_letters=1, workers=31, tenants=tenants, **numbers)]
    shown = rendered(element("p", *fleet_views.overview(HERE, fleet_status(page, stats), stats, []).content))
    assert "30\u00a0of\u00a031" in shown
    assert "silent since" in shown
    assert "21 more workers" in shown
    assert shown.index("t19") < shown.index("t18"), "those with most waiting jobs come first"
    assert "t9<" not in shown


def test_a_silent_worker_has_no_numbers() -> None:
    silent, unheard = fleet_worker(heard("a", 99, pages=7), NOW), HeardWorker(name="b.1", heard_at=NOW, report=None)
    shown = rendered(element("p", *fleet_views.workers(HERE, [silent, fleet_worker(unheard, NOW)], None).content))
    assert "of\u00a07" not in shown
    assert shown.count("unknown") == 2
    rows = shown.split("<tr>")
    assert {row.count("<td>") + row.count("<th scope") for row in rows[1:]} == {12}


def test_runners_and_queues_without_anything() -> None:
    runner = ReportedRunner(runner_id="r1", tenant_id=None, state="idle", pages=2, running=1)
    shown = rendered(element("p", *fleet_views.runners(HERE, [ShownRunner("w", runner)], None).content))
    assert "none yet" in shown
    assert "not measured" in shown
    assert "No runner of this tenant" in rendered(element("p", *fleet_views.runners(HERE, [], None, "a").content))
    assert "Nothing is paused" in rendered(element("p", *fleet_views.queues(HERE, [], (), ()).content))
