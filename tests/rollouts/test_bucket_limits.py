"""Counts as hits, and the limits that the old group sets."""

from pageworker_supervisor.rollouts.bets import Hits
from pageworker_supervisor.rollouts.bucket_limits import (
    LIMIT_JOBS,
    buckets_of,
    hits_of,
    look_at_limits,
    mean_e_value,
)


def test_hits_are_read_by_group_and_missing_ones_are_none() -> None:
    counts = {"old.jobs": 9, "old.failed": 1, "new.jobs": 4, "old.minutes": 7, "new.restarts": 2}
    assert hits_of(counts, "failed") == Hits(9, 1, 4, 0)
    assert hits_of(counts, "restarts", "minutes") == Hits(7, 0, 0, 2)


def test_buckets_are_read_and_other_counters_left_out() -> None:
    found = buckets_of({"old.seconds.7": 3, "new.seconds.x": 1, "old.jobs": 5, "other.seconds.1": 1})
    assert found["old.seconds"] == {7: 3}
    assert found["new.seconds"] == found["new.bytes"] == {}


def test_limits_are_set_once_and_count_only_what_comes_after() -> None:
    assert look_at_limits((), {7: LIMIT_JOBS - 1}, {9: 3}) == ()
    old = {5: LIMIT_JOBS // 2, 8: LIMIT_JOBS // 2}
    limits = look_at_limits((), old, {9: 3})
    assert [each.above for each in limits] == [5, 8]
    assert mean_e_value(limits) == mean_e_value(()) == 1.0
    assert limits[1].bets.seen == Hits(LIMIT_JOBS, 0, 3, 3)
    slower = look_at_limits(limits, {**old, 5: LIMIT_JOBS}, {9: 23})
    assert [each.above for each in slower] == [5, 8]
    assert mean_e_value(slower) > 100
