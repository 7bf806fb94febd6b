"""What a worker reports of itself."""

from types import SimpleNamespace
from typing import Any

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.contract.profile_login import ProfileLogin
from pageworker_supervisor.contract.traffic import Traffic
from pageworker_supervisor.runners.placement import NO_TENANT
from pageworker_supervisor.runners.runner_state import RunnerState
from pageworker_supervisor.worker_report import REPORTED, drain_line, runner_report, running_job
from pageworker_supervisor.worker_state import WorkerState


def runner(**changes: Any) -> Any:
    found = {
        "runner_id": "w1.1",
        "context": ContextKey("acme", "p"),
        "state": RunnerState.READY,
        "taken": 3,
        "running": {"a": object()},
        "jobs_done": 5,
        "since": 10.0,
        "process": None,
        "memory_bytes": None,
        "evidence": {"seccomp": "2"},
        "proof": {},
    }
    return SimpleNamespace(**{**found, **changes})


def attempt(**changes: Any) -> Any:
    job = SimpleNamespace(job_id="j", tenant_id="acme", endpoint_module="shop.product")
    before, now = Traffic(1, 20, 300), Traffic(2, 40, 600)
    found = {
        "job": job,
        "number": 2,
        "claimed_at": 10.0,
        "runner": None,
        "lease": SimpleNamespace(traffic=before),
        "traffic": now,
    }
    return SimpleNamespace(**{**found, **changes})


def test_every_state_of_a_worker_is_reported() -> None:
    assert set(REPORTED) == set(WorkerState)


def test_a_runner() -> None:
    report = runner_report(runner(process=SimpleNamespace(pid=77)), 12.5, ProfileLogin.NEEDS_LOGIN)
    assert (report.runner_id, report.tenant_id, report.profile_id, report.state) == ("w1.1", "acme", "p", "ready")
    assert (report.pages, report.jobs_done, report.uptime_seconds, report.pid) == (
        {"taken": 3, "running": 1},
        5,
        2.5,
        77,
    )
    assert report.login == "needs_login"


def test_a_probe_has_no_tenant_and_a_runner_that_starts_has_no_process() -> None:
    report = runner_report(runner(context=NO_TENANT), 12.5)
    assert (report.tenant_id, report.pid, report.login) == (None, None, None)


def test_a_job_before_and_after_it_has_a_runner() -> None:
    assert running_job(attempt(), 11.0).runner_id is None
    found = running_job(attempt(runner=runner()), 11.0)
    assert (str(found.ref), found.module, found.attempt, found.since_seconds, found.runner_id) == (
        "acme/j",
        "shop.product",
        2,
        1.0,
        "w1.1",
    )
    assert (found.requests, found.bytes_in, found.bytes_out) == (3, 60, 900), "of all its attempts"


def test_a_drain_names_the_job_it_waits_for() -> None:
    line = drain_line("waiting", attempt(), 11.5)
    assert (line.event, str(line.ref), line.since_seconds, line.left) == ("waiting", "acme/j", 1.5, None)
