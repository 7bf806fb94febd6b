"""Mean service time and throughput from samples."""

import pytest

from pageworker_supervisor.dispatch.recent_service import RecentService


def test_nothing_is_known_before_a_job_has_ended() -> None:
    service = RecentService(0.0)
    service.sample(1.0, 2, 0)
    assert service.service_seconds is None
    assert service.jobs_per_minute == 0


def test_the_mean_is_page_seconds_per_job() -> None:
    service = RecentService(0.0)
    service.sample(0.0, 4, 0)
    for second in range(1, 31):
        # Four pages, each job takes two seconds: two jobs end per second.
        service.sample(float(second), 4, 2 * second)
    assert service.service_seconds == pytest.approx(2.0)
    assert service.jobs_per_minute == 60


def test_a_minute_counts_and_not_more() -> None:
    service = RecentService(0.0)
    for second in range(1, 601):
        service.sample(float(second), 1, second)
    assert service.jobs_per_minute == 60


def test_what_is_older_than_ten_minutes_does_not_count() -> None:
    service = RecentService(0.0)
    service.sample(0.0, 1, 0)
    service.sample(100.0, 0, 1)
    for second in range(101, 800):
        service.sample(float(second), 0, 1)
    assert service.service_seconds is None
    assert service.jobs_per_minute == 0
