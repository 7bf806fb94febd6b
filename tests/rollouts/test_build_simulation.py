"""Simulated canaries, few of them: `make rollouts` runs all."""

from rollouts.build_simulation import minutes_to_roll_back, simulate_builds


def test_a_bad_build_goes_and_an_equal_one_stays() -> None:
    bad = simulate_builds(0.1, 0.3, 4, 100, seed=2)
    assert bad.rolled_back >= 0.75
    assert simulate_builds(0.1, 0.1, 2, 120, seed=2).rolled_back == 0


def test_a_canary_that_restarts_each_minute_goes_within_ten_and_one_that_does_not_stays() -> None:
    assert minutes_to_roll_back(1.0, 20, 10, seed=2).rolled_back == 1
    assert minutes_to_roll_back(0.02, 20, 60, seed=2).rolled_back == 0
