"""What the end of a job says about its version."""

import datetime as dt
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from pw_leases import new_lease
from rollouts.pairs import running

from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.result import AttemptRecord
from pageworker_supervisor.contract.traffic import Traffic
from pageworker_supervisor.dispatch.job_observation import job_observation
from pageworker_supervisor.dispatch.outcome import EndJob, Outcome

NOW = dt.datetime(2026, 11, 27, 9, tzinfo=dt.UTC)
STARTED_MS = round(NOW.timestamp() * 1000)


def past(version: str, outcome: str = "lost", reason: str | None = "it crashed") -> bytes:
    record = AttemptRecord(
        attempt=1,
        started_at=NOW,
        duration_seconds=1,
        outcome=outcome,
        worker_id="w1",
        module_version=version,
        reason=reason,
    )
    return msgspec.json.encode(record)


def attempt(version: str | None = "1.1.0", rollout: bool = True, attempts: tuple[bytes, ...] = ()) -> Any:
    return SimpleNamespace(
        lease=new_lease(attempts=attempts),
        job=Job(job_id="j", tenant_id="acme", endpoint_module="shop.product"),
        version=version,
        rollout=running(STARTED_MS) if rollout else None,
        traffic=Traffic(3, 1000, 24),
    )


def fields(one: Any, end: EndJob, outcome: Outcome | None = None, started_ms: int = STARTED_MS) -> Any:
    found = job_observation(one, end, outcome, lambda _: running(started_ms))
    return found["fields"] if found is not None else None


def test_a_job_counts_for_its_rollout_with_seconds_and_bytes_of_its_last_attempt() -> None:
    ran = Outcome(outcome="succeeded", runner_id="r", started_at=NOW, ran_seconds=0.02)
    assert job_observation(attempt(), EndJob("succeeded"), ran, lambda _: None) == {
        "module": "shop.product",
        "rollout": "r1",
        "started_ms": STARTED_MS,
        "fields": ["new.jobs", "new.seconds.8", "new.bytes.8"],
    }


@pytest.mark.parametrize(
    ("one", "status", "found"),
    [
        (attempt(rollout=False), "failed", None),
        (attempt(None), "rejected", None),
        (attempt("0.9.0"), "failed", None),
        (attempt(), "rejected", ["new.jobs", "new.failed"]),
        (attempt("1.0.0"), "blocked", ["old.jobs", "old.blocked"]),
        (attempt(attempts=(past("1.1.0"),)), "blocked", ["new.jobs", "new.failed", "new.blocked"]),
        # Neither a lost worker nor a crash of another version is the fault of this one.
        (attempt(attempts=(past("1.1.0", reason=None),)), "blocked", ["new.jobs", "new.blocked"]),
        (attempt(attempts=(past("1.0.0"),)), "blocked", ["new.jobs", "new.blocked"]),
        # A dead job tells its version by its earlier attempts.
        (attempt(None, False, (past("1.0.0"), past("1.1.0"))), "dead", ["new.jobs", "new.failed"]),
        (attempt(None, False), "dead", None),
    ],
)
def test_what_counts(one: Any, status: Any, found: list[str] | None) -> None:
    assert fields(one, EndJob(status)) == found


def test_a_job_that_died_before_the_rollout_began_does_not_count() -> None:
    one = attempt(None, False, (past("1.1.0"),))
    assert fields(one, EndJob("dead"), started_ms=STARTED_MS + 1) is None
