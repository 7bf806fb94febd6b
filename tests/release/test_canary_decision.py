"""A bad canary goes, a good one stays, and one without jobs is not called good."""

import pytest
from deploy.release.canary_decision import (
    CanaryDecision,
    CanaryMemory,
    JobCounts,
    PodState,
    count_jobs,
    decide_canary,
    look,
)

READY = (PodState("canary-1", True, 0),)
METRICS = """# HELP pageworker_jobs_total Jobs that have ended, by status.
# TYPE pageworker_jobs_total counter
pageworker_jobs_total{status="succeeded",module="shop",tenant="acme"} 7.0
pageworker_jobs_total{status="failed",module="shop",tenant="acme"} 2.0
pageworker_jobs_total{status="cancelled",module="shop",tenant="acme"} 5.0
pageworker_jobs_created{status="failed",module="shop",tenant="acme"} 1.7e9
# TYPE pageworker_runners gauge
pageworker_runners 3.0
"""


def looked(*rows: tuple[JobCounts, JobCounts]) -> CanaryMemory:
    """The memory after these looks at one stable pod and one canary."""
    memory = CanaryMemory()
    for stable, canary in rows:
        memory = look(memory, {"stable-1": stable}, {"canary-1": canary})
    return memory


def test_jobs_are_counted_by_how_they_ended() -> None:
    assert count_jobs(METRICS) == JobCounts(9, 2)


def test_jobs_of_other_workers_count_from_the_begin_of_the_canary_on() -> None:
    memory = looked((JobCounts(1000, 900), JobCounts()), (JobCounts(1010, 901), JobCounts(5, 1)))
    assert (memory.stable, memory.canary) == (JobCounts(10, 1), JobCounts(5, 1))


def test_a_pod_that_starts_again_counts_from_zero() -> None:
    memory = looked((JobCounts(100, 10), JobCounts(0, 0)), (JobCounts(3, 0), JobCounts(4, 0)))
    assert memory.stable == JobCounts(3, 0)


def test_a_good_canary_is_promoted_once_it_has_enough_jobs() -> None:
    before = looked((JobCounts(), JobCounts()), (JobCounts(400, 40), JobCounts(49, 5)))
    assert decide_canary(before, READY, 50, deadline_passed=False)[0] is CanaryDecision.WAIT
    after = look(before, {"stable-1": JobCounts(410, 41)}, {"canary-1": JobCounts(50, 5)})
    assert decide_canary(after, READY, 50, deadline_passed=False)[0] is CanaryDecision.PROMOTE


def test_a_bad_canary_is_removed_before_it_has_enough_jobs() -> None:
    memory = looked((JobCounts(), JobCounts()), (JobCounts(400, 20), JobCounts(40, 25)))
    decision, why = decide_canary(memory, READY, 1000, deadline_passed=False)
    assert decision is CanaryDecision.REMOVE
    assert "25 of 40 jobs ended badly" in why


def test_a_canary_without_jobs_is_removed_when_its_time_is_over() -> None:
    memory = looked((JobCounts(), JobCounts()), (JobCounts(400, 20), JobCounts()))
    assert decide_canary(memory, READY, 50, deadline_passed=False)[0] is CanaryDecision.WAIT
    decision, why = decide_canary(memory, READY, 50, deadline_passed=True)
    assert decision is CanaryDecision.REMOVE
    assert "too few jobs to decide, 50 are needed" in why


@pytest.mark.parametrize(("ready", "restarts", "why"), [(True, 1, "restarted: c"), (False, 0, "not ready: c")])
def test_a_canary_that_crashes_or_does_not_get_ready_is_removed(ready: bool, restarts: int, why: str) -> None:
    memory = looked((JobCounts(), JobCounts()), (JobCounts(400, 20), JobCounts(100, 5)))
    decision, text = decide_canary(memory, [PodState("c", ready, restarts)], 50, deadline_passed=True)
    assert decision is CanaryDecision.REMOVE
    assert why in text
