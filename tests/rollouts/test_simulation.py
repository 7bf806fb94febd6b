"""Simulated rollouts, few of them: `make rollouts` runs all."""

import random
import statistics

from rollouts.simulation import _hits, simulate


def test_a_bad_version_goes_and_an_equal_one_stays() -> None:
    bad = simulate(0.1, 0.4, 20, 39, seed=2)
    assert bad.before(40) >= 0.75
    assert simulate(0.1, 0.1, 6, 200, seed=2).rolled_back == 0


def test_hits_are_binomial() -> None:
    dice = random.Random(3)
    found = [_hits(dice, 0.2, 50) for _ in range(3000)]
    assert 0 <= min(found) <= max(found) <= 50
    # Mean 10 and variance 8, each within five standard errors.
    assert abs(statistics.mean(found) - 10) < 5 * (8 / 3000) ** 0.5
    assert abs(statistics.variance(found) - 8) < 5 * 8 * (2 / 3000) ** 0.5
    assert _hits(dice, 0.0, 50) == 0
