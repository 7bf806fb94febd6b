"""What is counted of results and reports."""

import datetime as dt
from typing import Any

from msgspec.structs import replace
from pw_worker.reports import worker_report

from pageworker_supervisor.contract.result import AttemptRecord, Result, encode_result
from pageworker_supervisor.queue.fleet_workers import HeardWorker, WorkersPage
from pageworker_supervisor.rollouts.build_observation import BuildObservation

NOW = 1_800_000_000.0
"""The begin of a minute."""


def report(worker_id: str, run: str = "1", at: float = NOW, tags: tuple[str, ...] = (), **more: Any) -> HeardWorker:
    found = worker_report(worker_id, *tags, run=run, reported_at=at, started_at=NOW + int(run), **more)
    return HeardWorker(name=found.name, heard_at=at, report=found)


def page(*workers: HeardWorker, now: float = NOW) -> WorkersPage:
    return WorkersPage(now=now, workers=workers, drains=(), position=None)


def watching(*more: HeardWorker, stable: str | None = None) -> BuildObservation:
    """`c` is the canary and `s` stable."""
    observation = BuildObservation("next", stable, NOW)
    observation.take_reports(page(report("c", tags=("eu", "next")), report("s", tags=("eu",)), *more))
    return observation


def attempt(worker_id: str, outcome: str = "succeeded", at: float = 1.0, **more: Any) -> AttemptRecord:
    """One that began `at` seconds after the watch."""
    began = dt.datetime.fromtimestamp(NOW + at, dt.UTC)
    record = AttemptRecord(attempt=1, started_at=began, duration_seconds=2.0, outcome=outcome, worker_id=worker_id)
    return replace(record, **more)


def result(*attempts: AttemptRecord, **more: Any) -> bytes:
    fixed = Result(job_id="j", tenant_id="acme", status="succeeded", attempts=attempts)
    return encode_result(replace(fixed, **more))


def counted(*attempts: AttemptRecord) -> dict[str, int]:
    observation = watching()
    observation.take_result(result(*attempts))
    return {name: number for name, number in observation.counts.items() if ".seconds." not in name}


def test_each_attempt_counts_with_its_own_worker() -> None:
    found = counted(attempt("c", "failed"), attempt("s"))
    assert found == {"new.jobs": 1, "new.tries": 1, "new.failed": 1, "old.jobs": 1, "old.tries": 1}
    assert counted(attempt("c", "timed_out"))["new.failed"] == 1
    assert counted(attempt("c", "blocked"))["new.blocked"] == 1
    assert counted(attempt("c", "cancelled"), attempt("stranger", "failed")) == {}
    observation = watching()
    observation.take_result(result(attempt("s", duration_seconds=2.0), attempt("s", duration_seconds=2.01)))
    (bucket,) = [name for name in observation.counts if name.startswith("old.seconds.")]
    assert observation.counts[bucket] == 2


def test_what_began_before_the_watch_does_not_count() -> None:
    assert counted(attempt("c", "failed", at=-0.1)) == {}


def test_a_runner_that_died_is_a_failure_and_a_lease_that_redis_took_back_is_a_loss() -> None:
    assert counted(attempt("c", "lost", reason="the runner died")) == {"new.jobs": 1, "new.tries": 1, "new.failed": 1}
    # Redis names the run of the worker.
    assert counted(attempt("c.1", "lost")) == {"new.tries": 1, "new.losses": 1}


def test_leases_that_a_worker_loses_at_once_are_one_hit() -> None:
    same = [attempt("s.1", "lost", at=at) for at in (1.0, 2.0, 60.5)]
    found = counted(*same, attempt("c.1", "lost"))
    assert found == {"old.tries": 1, "old.losses": 1, "new.tries": 1, "new.losses": 1}
    assert counted(attempt("s.1", "lost"), attempt("s.1", "lost", at=90.0))["old.losses"] == 2


def test_a_rejection_counts_if_a_module_made_it() -> None:
    observation = watching()
    observation.take_result(result(status="rejected", worker_id="c"))
    assert observation.counts == {}
    observation.take_result(result(status="rejected", worker_id="c", module_version="1.0.0"))
    assert observation.counts == {"new.jobs": 1, "new.tries": 1, "new.failed": 1}


def test_what_is_no_result_is_left_out() -> None:
    observation = watching()
    for text in (b"", b"\xff", b"[]", b'{"status": 1}', b"[" * 10_000):
        observation.take_result(text)
    assert observation.counts == {}


def test_only_workers_with_the_tags_take_part() -> None:
    assert watching(report("other")).workers == {"c": "new", "s": "old", "other": "old"}
    assert watching(report("other"), stable="eu").workers == {"c": "new", "s": "old"}


def minutes(*looks: WorkersPage) -> tuple[int, int, int, int]:
    """Minutes and restarts, of stable and canary, with a last look in the next minute."""
    observation = watching()
    for look in looks:
        observation.take_reports(look)
    observation.take_reports(page(report("c", "9", NOW + 600, tags=("next",)), now=NOW + 600))
    found = observation.counts
    return found["old.minutes"], found["old.restarts"], found["new.minutes"], found["new.restarts"]


CANARY = report("c", tags=("next",))


def test_each_minute_of_a_worker_is_one_trial() -> None:
    later = page(report("c", at=NOW + 70, tags=("next",)), report("s", at=NOW + 70), now=NOW + 70)
    assert minutes() == (1, 0, 1, 0)
    assert minutes(page(CANARY, report("s"), now=NOW + 5)) == (1, 0, 1, 0)
    assert minutes(page(CANARY, report("s")), later) == (2, 0, 2, 0)


def test_a_run_that_another_one_replaces_without_a_drain_has_restarted() -> None:
    assert minutes(page(CANARY, report("s", "2"), now=NOW + 5), page(CANARY, report("s", "3"), now=NOW + 9)) == (
        *(1, 1),
        *(1, 0),
    )
    # The old run's report is still there, in another data folder.
    assert minutes(page(CANARY, report("s"), report("s", "2"), now=NOW + 5))[:2] == (1, 1)
    drained = page(CANARY, report("s", state="draining"), now=NOW + 4)
    assert minutes(drained, page(CANARY, report("s", "2"), now=NOW + 5))[:2] == (1, 0)


def test_a_worker_that_took_its_report_away_was_stopped() -> None:
    assert minutes(page(CANARY, now=NOW + 4), page(CANARY, report("s", "2"), now=NOW + 5))[:2] == (1, 0)


def test_a_silent_worker_has_no_minutes_and_has_died_once_its_report_is_gone() -> None:
    silent = page(report("s", at=NOW), report("c", at=NOW + 65, tags=("next",)), now=NOW + 65)
    assert minutes(silent) == (1, 0, 2, 0)
    back = page(report("s", at=NOW + 66), report("c", at=NOW + 65, tags=("next",)), now=NOW + 66)
    assert minutes(silent, back) == (2, 0, 2, 0)
    gone = page(report("c", at=NOW + 125, tags=("next",)), now=NOW + 125)
    assert minutes(silent, gone) == (2, 1, 3, 0)
