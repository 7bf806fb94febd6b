"""From what a Redis used to what it costs."""

from scale.figures import FULL, RedisUse, idle_row, load_rows, percentile

IDLE = RedisUse(seconds=10.0, cpu_seconds=1.0, commands=30_000)


def test_idle_workers_and_jobs_are_told_apart() -> None:
    loaded = RedisUse(seconds=20.0, cpu_seconds=2.0 + 1.5, commands=0)
    job, full = load_rows(IDLE, loaded, workers=1000, jobs=3000)
    assert idle_row(IDLE, 1000) == {
        "idle_redis_share": 0.1,
        "idle_us_per_worker_second": 100.0,
        "idle_commands_per_worker_second": 3.0,
    }
    assert job == {"jobs_per_second": 150.0, "loaded_redis_share": 0.175, "redis_us_per_job": 500.0}
    assert full == {
        "full_at_jobs_per_second": round((FULL - 0.1) / 0.0005),
        "full_at_idle_workers": round(1000 * FULL / 0.1),
    }


def test_what_was_not_seen_has_no_end() -> None:
    nothing = RedisUse(10.0, 0.0, 0)
    *_, full = load_rows(nothing, nothing, workers=1, jobs=1)
    assert full == {"full_at_jobs_per_second": 0, "full_at_idle_workers": 0}
    assert percentile([], 0.5) is None
    assert percentile([1.0, 2.0, 3.0], 0.5) == 2.0
    assert percentile([1.0, 2.0, 3.0], 1.0) == 3.0
