"""What a command sees of a stored drain, look by look."""

from typing import Any

from pw_worker.reports import worker_report

from pageworker_supervisor.cli.drain_watch import AFTER_DEADLINE_SECONDS, DrainWatch, is_for
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.contract.worker_report import WorkerReport
from pageworker_supervisor.queue.fleet_workers import HeardWorker, StoredDrain, WorkersPage
from pageworker_supervisor.queue.views import JobView

NOW = 1_800_000_000.0
DRAINED: dict[str, Any] = {"state": "draining", "reason": "drained", "reported_at": NOW}


def drain(name: str) -> StoredDrain:
    return StoredDrain(name=name, id="d", since_ms=0, deadline_ms=int(NOW * 1000), who="", reason="", cancel=False)


def page(*reports: WorkerReport) -> WorkersPage:
    heard = tuple(HeardWorker(name=one.name, heard_at=one.reported_at, report=one) for one in reports)
    return WorkersPage(now=NOW, workers=heard, drains=(), position=None)


def running(job_id: str, worker: str) -> JobView:
    return JobView(
        job_id=job_id,
        tenant_id="acme",
        profile_id=None,
        domain=None,
        priority="normal",
        state="running",
        worker_id=worker,
        crashes=0,
        attempts_used=0,
        due_at_ms=None,
        age_seconds=1.0,
    )


def test_whom_a_drain_is_for() -> None:
    report = worker_report("a", "eu", "large")
    assert all(is_for(drain(name), report) for name in ("*", "worker:a", "tag:eu", "tag:large"))
    assert not any(is_for(drain(name), report) for name in ("worker:b", "tag:a", "worker:eu", "tag:us"))


def test_jobs_of_its_workers_are_waited_for() -> None:
    watch, eu = DrainWatch(), drain("tag:eu")
    busy, other = worker_report("a", "eu", reported_at=NOW), worker_report("b", reported_at=NOW)
    came, gone = watch.look(eu, page(busy, other), [running("j1", "a.1"), running("j2", "b.1")])
    assert (came, gone, watch.done) == ([(JobRef("acme", "j1"), "a")], [], False)
    came, gone = watch.look(eu, page(busy, other), [])
    assert (came, gone, watch.undrained) == ([], [(JobRef("acme", "j1"), "a")], ["a"])
    assert not watch.done, "it has not said that it is drained"
    watch.look(eu, page(worker_report("a", "eu", **DRAINED), other), [])
    assert watch.done


def test_a_worker_that_left_or_is_silent_is_not_waited_for_but_its_jobs_are() -> None:
    watch, all_ = DrainWatch(), drain("*")
    silent = worker_report("a", reported_at=NOW - 31)
    watch.look(all_, page(silent), [running("j1", "a.1")])
    assert (watch.unknown, watch.undrained, watch.done) == (["a"], [], False)
    watch.look(all_, page(silent), [])
    assert watch.done
    watch.look(all_, page(), [])
    assert watch.done


def test_after_the_deadline_nothing_more_is_expected() -> None:
    watch, all_ = DrainWatch(), drain("*")
    assert not watch.over(all_, NOW + AFTER_DEADLINE_SECONDS)
    assert watch.over(all_, NOW + AFTER_DEADLINE_SECONDS + 1)
