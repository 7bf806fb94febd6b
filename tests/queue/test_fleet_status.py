"""What is known of the fleet. What cannot be known is said to be unknown."""

import pytest
from pw_worker.reports import worker_report

from pageworker_supervisor.contract.worker_report import WorkerReport
from pageworker_supervisor.queue.fleet_status import FleetStatus, clock, fleet_status, fleet_worker
from pageworker_supervisor.queue.fleet_workers import HeardWorker, WorkersPage

NOW = 1_800_000_000.0


def heard(report: WorkerReport) -> HeardWorker:
    return HeardWorker(name=report.name, heard_at=report.reported_at, report=report)


def status(*workers: HeardWorker) -> FleetStatus:
    return fleet_status(WorkersPage(now=NOW, workers=workers, drains=(), position=None), [])


def test_a_worker_with_a_recent_report_is_what_it_says() -> None:
    worker = fleet_worker(heard(worker_report("a", reported_at=NOW - 5)), NOW)
    assert (worker.state, worker.unknown_since) == ("ready", None)


@pytest.mark.parametrize("state", ["ready", "draining", "starting"])
def test_a_silent_worker_is_unknown_and_never_ready(state: str) -> None:
    worker = fleet_worker(heard(worker_report("a", reported_at=NOW - 31, state=state)), NOW)
    assert (worker.state, worker.unknown_since) == ("unknown", NOW - 31)
    assert worker.reason == "silent since 2027-01-15 07:59:29Z"


def test_a_worker_that_does_not_report_is_unknown() -> None:
    worker = fleet_worker(HeardWorker(name="berlin.1.abc", heard_at=NOW, report=None), NOW)
    assert (worker.state, worker.worker_id) == ("unknown", "berlin.1")


def test_totals_leave_out_what_is_unknown() -> None:
    found = status(
        heard(worker_report("b", reported_at=NOW, jobs_running=2, memory_bytes=2**30)),
        heard(worker_report("a", reported_at=NOW, state="draining", reason="drained")),
        heard(worker_report("c", reported_at=NOW - 100, jobs_running=9, memory_bytes=2**40)),
    )
    assert [worker.worker_id for worker in found.workers] == ["a", "b", "c"]
    assert (found.totals.workers, found.totals.ready, found.totals.unknown) == (3, 1, 1)
    assert (found.totals.jobs_running, found.totals.memory_bytes, found.totals.runner_slots) == (2, 2**30, 2)


def test_a_time_that_is_none_is_shown_as_such() -> None:
    """Stored drains and pauses may be edited by hand."""
    assert clock(9e12) == "?"
    assert clock(0) == "1970-01-01 00:00:00Z"
