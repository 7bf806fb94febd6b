"""The automatic decision, from counts alone."""

import pytest

from pageworker_supervisor.config.rollout_settings import RolloutSettings
from pageworker_supervisor.rollouts.bucket_limits import LIMIT_JOBS
from pageworker_supervisor.rollouts.decision import (
    MOST_ERROR,
    DecisionMemory,
    RolloutDecision,
    decide,
    decode_memory,
    encode_memory,
)
from pageworker_supervisor.rollouts.rollout_state import RolloutEvent
from rollouts.pairs import counts, running

AUTOMATIC = RolloutSettings()


def looked(
    *steps: dict[str, int], settings: RolloutSettings = AUTOMATIC, now_ms: int = 0, memory: DecisionMemory | None = None
) -> RolloutDecision:
    """One look after each step. The memory goes through its stored form each time, as between workers."""
    memory = memory or DecisionMemory()
    for step in steps:
        found = decide(memory, step, running(), settings, now_ms)
        memory = decode_memory(encode_memory(found.memory))
    return found


def test_nothing_is_decided_without_jobs() -> None:
    found = looked({})
    assert (found.event, found.memory) == (None, DecisionMemory())
    assert found.error == pytest.approx(0.001), "the four bets have their stakes"
    assert MOST_ERROR < 0.01
    assert decode_memory(b"") == DecisionMemory()


def test_the_first_look_rolls_back_what_fails_four_times_as_often() -> None:
    found = looked(counts((152, 15), (38, 15)), counts((156, 16), (39, 16)))
    assert found.event is RolloutEvent.ROLL_BACK
    assert found.memory.first_look == "rejected"
    assert "failed 16 of 39 new, 16 of 156 old" in found.evidence
    assert "mostly failures, first look" in found.evidence


def test_the_first_look_is_taken_once() -> None:
    fine = looked(counts((156, 16), (39, 4)))
    assert (fine.event, fine.memory.first_look) == (None, "passed")
    later = looked(counts((160, 16), (44, 9)), memory=fine.memory)
    assert later.memory.first_look == "passed"


def test_a_version_that_always_fails_is_rolled_back_as_soon_as_it_has_the_least_jobs() -> None:
    steps = [counts((4 * jobs, jobs // 3), (jobs, jobs)) for jobs in range(1, 10)]
    waiting = looked(*steps)
    assert (waiting.event, waiting.error > 1) == (None, True)
    assert looked(*steps, counts((40, 3), (10, 10))).event is RolloutEvent.ROLL_BACK
    by_hand = RolloutSettings(automatic_rollback=False)
    assert looked(*steps, counts((40, 3), (10, 10)), settings=by_hand).event is None


def test_blocks_count_by_themselves() -> None:
    steps = [counts((40 * n, 0), (10 * n, 0), old_blocked=n, new_blocked=5 * n) for n in range(1, 12)]
    found = looked(*steps)
    assert found.event is RolloutEvent.ROLL_BACK
    assert "mostly blocks" in found.evidence


@pytest.mark.parametrize("measure", ["seconds", "bytes"])
def test_slower_and_heavier_versions_are_found_from_the_limits_on(measure: str) -> None:
    def step(n: int, new_bucket: int) -> dict[str, int]:
        old = {f"old.{measure}.{bucket}": 4 * n for bucket in range(10, 20)}
        return counts((40 * n, 0), (10 * n, 0)) | old | {f"new.{measure}.{new_bucket}": 10 * n}

    assert looked(*(step(n, 14) for n in range(1, 30))).event is None
    found = looked(*(step(n, 19) for n in range(1, 30)))
    assert found.event is RolloutEvent.ROLL_BACK
    assert f"mostly {measure}" in found.evidence
    limits = found.memory.seconds if measure == "seconds" else found.memory.bytes
    assert [limit.above for limit in limits] == [14, 18], "the median and nine tenths of the old version"


def test_limits_are_set_once_and_from_enough_jobs() -> None:
    few = counts((LIMIT_JOBS, 0), (9, 0)) | {"old.seconds.7": LIMIT_JOBS - 1}
    assert looked(few).memory.seconds == ()
    enough = few | {"old.seconds.7": LIMIT_JOBS}
    assert [limit.above for limit in looked(few, enough).memory.seconds] == [7, 7]
    assert [limit.above for limit in looked(enough, enough | {"old.seconds.90": 999}).memory.seconds] == [7, 7]


@pytest.mark.parametrize(
    ("seconds", "jobs", "now_ms", "promoted"),
    [
        (None, 500, 10**9, False),
        (60.0, 500, 59_999, False),
        (60.0, 500, 60_000, True),
        (60.0, 199, 60_000, False),
    ],
)
def test_promotion_needs_time_and_jobs(seconds: float | None, jobs: int, now_ms: int, promoted: bool) -> None:
    settings = RolloutSettings(promote_after_seconds=seconds)
    found = looked(counts((4 * jobs, jobs // 5), (jobs, jobs // 20)), settings=settings, now_ms=now_ms)
    assert (found.event is RolloutEvent.PROMOTE) is promoted


def test_a_doubtful_version_is_not_promoted_by_itself() -> None:
    settings = RolloutSettings(promote_after_seconds=1.0, automatic_rollback=False)
    steps = [counts((40 * n, 4 * n), (10 * n, 4 * n)) for n in range(1, 31)]
    assert looked(*steps, settings=settings, now_ms=10**9).event is None
