from collections import Counter

import pytest

from profiles_load.arrivals import arrivals


def test_a_few_profiles_have_most_jobs_and_the_rate_is_kept() -> None:
    found = list(arrivals(300, 5.0, 2000, seed=1))
    assert len(found) == pytest.approx(10_000, rel=0.05)
    times = [arrival.at_seconds for arrival in found]
    assert times == sorted(times)
    assert times[-1] < 2000
    often = Counter(arrival.profile for arrival in found)
    assert often["p1"] / often["p10"] == pytest.approx(10, rel=0.25)
    assert often["p1"] / len(found) == pytest.approx(1 / 6.28, rel=0.1), "the 300th harmonic number is 6.28"
    assert len(often) > 290, "nearly every profile has a job"


def test_a_seed_repeats_a_run() -> None:
    assert list(arrivals(30, 1.0, 60, seed=7)) == list(arrivals(30, 1.0, 60, seed=7))
    assert list(arrivals(30, 1.0, 60, seed=7)) != list(arrivals(30, 1.0, 60, seed=8))
