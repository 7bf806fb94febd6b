"""What `workerctl top` shows: order of rows, and foreign text."""

from pw_worker.reports import worker_report

from pageworker_supervisor.cli.top_frame import (
    TopFailure,
    TopFrame,
    frame_text,
    runner_rows,
    runners_of,
    tenant_rows,
    worker_rows,
)
from pageworker_supervisor.contract.worker_report import ReportedRunner
from pageworker_supervisor.queue.fleet_status import fleet_worker, queue_totals, totals
from pageworker_supervisor.queue.fleet_workers import HeardWorker
from pageworker_supervisor.queue.views import TenantStats

NOW = 1_800_000_000.0


def runner(name: str, running: int, memory: int | None) -> ReportedRunner:
    return ReportedRunner(runner_id=name, tenant_id="acme", state="up", pages=4, running=running, memory_bytes=memory)


def frame() -> TopFrame:
    reports = [
        worker_report("a", reported_at=NOW, jobs_running=1, memory_bytes=10, runners=(runner("a.1", 1, 10),)),
        worker_report("b", reported_at=NOW, jobs_running=3, memory_bytes=5, runners=(runner("b.1", 3, None),)),
        worker_report("c", reported_at=NOW - 60, jobs_running=9, memory_bytes=99, runners=(runner("c.1", 9, 99),)),
    ]
    heard = [HeardWorker(name=one.name, heard_at=one.reported_at, report=one) for one in reports]
    workers = [fleet_worker(one, NOW) for one in heard]
    return TopFrame(
        at=NOW,
        totals=totals(workers),
        queue=queue_totals([]),
        workers=tuple(workers),
        runners=runners_of(workers),
        tenants=(
            TenantStats(tenant_id="acme", jobs=3, running=2, parked=False),
            TenantStats(tenant_id="zeta", jobs=9, running=1, parked=True, throttled="throttled: tenant rate"),
        ),
        failures=(
            TopFailure(
                at=NOW, job="acme/1", module="m", status="failed", error="e", message="a\x1b[2Jb\nc" + "d" * 500
            ),
        ),
    )


def firsts(rows: list[tuple[str, ...]]) -> list[str]:
    return [row[0] for row in rows]


def test_what_uses_most_comes_first_and_what_is_unknown_last() -> None:
    assert firsts(worker_rows(frame(), "memory")) == ["a", "b", "c"]
    assert firsts(worker_rows(frame(), "jobs")) == ["b", "a", "c"]
    assert firsts(worker_rows(frame(), "name")) == ["a", "b", "c"]
    assert firsts(runner_rows(frame(), "memory")) == ["a.1", "b.1"], "runners of a silent worker are not known"
    assert firsts(runner_rows(frame(), "jobs")) == ["b.1", "a.1"]
    assert firsts(tenant_rows(frame(), "jobs")) == ["zeta", "acme"]
    assert firsts(tenant_rows(frame(), "name")) == ["acme", "zeta"]


def test_foreign_text_stays_in_its_place() -> None:
    text = frame_text(frame(), "memory")
    assert "a\\x1b[2Jb\\nc" in text
    assert len(text.splitlines()[-1]) < 250
    assert "throttled: tenant rate" in text
