"""An invented day: repeatable, with a curve, bursts and noise."""

from itertools import islice

from pageworker_supervisor.scaling.synthetic_day import DAY_SECONDS, NIGHT_SHARE, synthetic_day


def pages_by_hour(seed: int) -> list[float]:
    work = [0.0] * 24
    for entry in synthetic_day(peak_pages=1000, service_seconds=20, seed=seed):
        work[int(entry.at // 3600)] += entry.jobs * entry.service_seconds / 3600
    return work


def test_the_same_seed_is_the_same_day() -> None:
    first = list(islice(synthetic_day(100, 20, seed=1), 5000))
    assert first == list(islice(synthetic_day(100, 20, seed=1), 5000))
    assert first != list(islice(synthetic_day(100, 20, seed=2), 5000))


def test_the_day_has_a_curve() -> None:
    hours = pages_by_hour(seed=3)
    assert 1000 * NIGHT_SHARE * 0.9 < min(hours) < 250
    assert 950 < max(hours) < 1500
    assert hours.index(max(hours)) in range(11, 20)


def test_times_ascend_within_the_day() -> None:
    times = [entry.at for entry in synthetic_day(10, 20)]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] < DAY_SECONDS
    assert all(entry.jobs > 0 for entry in islice(synthetic_day(10, 20), 1000))
