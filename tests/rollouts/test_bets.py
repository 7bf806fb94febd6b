"""The bets: no expected gain for equal versions, in any batches; a gain for a worse one; none for a better one."""

import math
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pageworker_supervisor.rollouts.bets import ODDS, WEIGHTS, Bets, Hits, bet


def grown(bets: Bets, old: tuple[int, int], new: tuple[int, int]) -> Bets:
    """One more batch: jobs and hits of each version."""
    seen = bets.seen
    hits = Hits(seen.old_jobs + old[0], seen.old_hits + old[1], seen.new_jobs + new[0], seen.new_hits + new[1])
    return bet(bets, hits)


def expected_factor(bets: Bets, jobs: tuple[int, int], shares: tuple[float, float], which: int) -> float:
    """Of one bet, over every outcome of the next batch."""
    total = 0.0
    for old_hits, new_hits in product(range(jobs[0] + 1), range(jobs[1] + 1)):
        chance = math.prod(
            math.comb(n, hits) * share**hits * (1 - share) ** (n - hits)
            for n, hits, share in zip(jobs, (old_hits, new_hits), shares, strict=True)
        )
        after = grown(bets, (jobs[0], old_hits), (jobs[1], new_hits))
        total += chance * math.exp(after.logs[which] - bets.logs[which])
    return total


@settings(max_examples=60, deadline=None)
@given(
    past=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9), st.floats(0, 1), st.floats(0, 1)), max_size=3),
    jobs=st.tuples(st.integers(1, 5), st.integers(1, 3)),
    share=st.floats(0.001, 0.999),
    better=st.floats(0, 1),
)
def test_no_bet_gains_from_versions_that_are_equal_or_better(
    past: list[tuple[int, int, float, float]], jobs: tuple[int, int], share: float, better: float
) -> None:
    bets = Bets()
    for old, new, old_share, new_share in past:
        bets = grown(bets, (old, round(old * old_share)), (new, round(new * new_share)))
    for which in range(len(ODDS)):
        assert expected_factor(bets, jobs, (share, share), which) <= 1 + 1e-9
        assert expected_factor(bets, jobs, (share, share * better), which) <= 1 + 1e-9


def test_a_bet_gains_from_a_worse_version() -> None:
    learnt = grown(Bets(), (100, 10), (25, 3))
    assert expected_factor(learnt, (4, 1), (0.1, 0.4), ODDS.index(4.0)) > 1.02


def test_the_mean_wealth_begins_at_one_and_grows_with_the_evidence() -> None:
    assert sum(WEIGHTS) == pytest.approx(1)
    assert Bets().e_value == pytest.approx(1)
    bad = good = Bets()
    for _ in range(20):
        bad, good = grown(bad, (20, 2), (5, 3)), grown(good, (20, 2), (5, 0))
    assert bad.e_value > 1e9
    assert good.e_value < 0.5
    assert Bets(logs=(1e6,) * len(ODDS)).e_value > 1e300, "and does not overflow"


def test_jobs_of_one_version_alone_wait_for_those_of_the_other() -> None:
    assert bet(Bets(), Hits(10, 1, 0, 0)) == Bets()
    assert bet(Bets(), Hits(0, 0, 10, 5)) == Bets()
    both = bet(Bets(), Hits(10, 1, 10, 5))
    assert both.seen == Hits(10, 1, 10, 5)
    assert bet(both, both.seen) == both, "the same counts again change nothing"
