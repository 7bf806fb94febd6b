"""How the figures of fairness are computed."""

from collections import Counter

import pytest
from bench.fairness import deviation, largest_gap


def test_the_worst_served_tenant_counts() -> None:
    weights = {"one": 1.0, "two": 2.0, "four": 4.0}
    assert deviation(Counter(one=100, two=200, four=400), weights) == 0.0
    assert deviation(Counter(one=110, two=200, four=390), weights) == pytest.approx(0.1)
    assert deviation(Counter(two=300, four=400), weights) == 1.0


@pytest.mark.parametrize(
    ("order", "gap"),
    [
        (["low", "low"], 1),
        (["high", "low", "high", "high", "low"], 3),
        (["high", "high", "high", "low"], 4),
        (["low", "high", "high", "high"], 4),
        (["high", "high"], 3),
    ],
)
def test_a_gap_counts_from_one_to_the_next_and_to_the_ends(order: list[str], gap: int) -> None:
    assert largest_gap(order, "low") == gap
