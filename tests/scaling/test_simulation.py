"""A load in virtual time, and the day that the fleet is promised to follow."""

import pytest

from pageworker_supervisor.config.scaling_settings import ScalingSettings
from pageworker_supervisor.scaling.simulation import Arrivals, simulate
from pageworker_supervisor.scaling.synthetic_day import synthetic_day

SETTINGS = ScalingSettings()
THOUSAND = ScalingSettings(max_workers=1000, target_age_seconds=60, worker_start_seconds=45)
PAGES = 16


@pytest.mark.parametrize("seed", [0, 1])
def test_a_day_of_a_thousand_workers_keeps_the_target(seed: int) -> None:
    """A worker starts in 45 s, and the target age is 60 s."""
    day = list(synthetic_day(peak_pages=12_000, service_seconds=20, seed=seed))
    found = simulate(day, THOUSAND, PAGES)
    assert found.minutes == 24 * 60
    assert 900 < found.most_workers <= 1000
    assert found.in_time >= 0.99
    assert found.over_provisioned <= 0.15
    assert found.reversals_per_hour <= 2


def test_one_job_wakes_a_fleet_of_zero_which_then_sleeps() -> None:
    load = [Arrivals(600, 1, 10), Arrivals(7200, 1, 10)]
    first, second, third = simulate(load, SETTINGS, PAGES).hours
    assert first.fewest_workers == 0
    assert first.most_workers == 1
    assert 40 <= first.largest_age_seconds <= 65, "a worker starts in 45 s"
    assert first.minutes_in_time == 60, "the job started in time"
    assert second.most_workers == 0
    assert (first.jobs, second.jobs, third.jobs) == (1, 0, 1)


def test_a_constant_load_turns_nowhere() -> None:
    load = [Arrivals(second, 5, 20) for second in range(0, 7200, 5)]
    found = simulate(load, SETTINGS, PAGES)
    assert found.most_reversals == 0
    assert found.in_time == 1
    assert found.most_workers == 2


def test_a_fleet_that_may_not_grow_is_late() -> None:
    """Twenty pages hold what comes; sixteen do not."""
    load = [Arrivals(second, 5, 20) for second in range(0, 7200, 5)]
    found = simulate(load, ScalingSettings(max_workers=1), PAGES)
    assert found.in_time < 0.2
    assert found.hours[-1].largest_age_seconds > 600
    assert found.over_provisioned == pytest.approx(0, abs=0.02)


def test_work_is_exact_whatever_the_jobs_take() -> None:
    for service in (0.25, 7, 12.5, 60):
        load = [Arrivals(second, 10, service) for second in range(0, 3600, 5)]
        (hour,) = simulate(load, SETTINGS, PAGES).hours
        assert hour.jobs == 7200
        assert hour.busy_worker_hours == pytest.approx(7200 * service / 3600 / PAGES, rel=0.03)


def test_workers_that_start_or_end_their_last_jobs_count() -> None:
    load = [Arrivals(0, 1, 1), Arrivals(1200, 160, 600), Arrivals(3595, 1, 1)]
    (hour,) = simulate(load, SETTINGS, PAGES).hours
    assert 10 <= hour.most_workers <= 15, "ten hold it all, if no more comes"
    assert hour.worker_hours > hour.busy_worker_hours
    assert hour.worker_hours > 10 * (600 + SETTINGS.worker_start_seconds) / 3600


def test_no_load_is_no_hour() -> None:
    found = simulate([], SETTINGS, PAGES)
    assert found.hours == ()
    assert found.in_time == 1
