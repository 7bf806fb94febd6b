"""Rows, ratios and bounds."""

import pytest
from bench.rows import BOUNDS, BenchRow, Bound, compared, median_interval, percentile, with_bound


def test_the_ratio_is_taken_round_by_round() -> None:
    # The ratio of the best round, or of the sums, would differ.
    row = compared("x", "jobs/s", "y", ours=[1.0, 2.0, 6.0], theirs=[2.0, 2.0, 3.0])
    assert (row.value, row.ratio) == (2.0, 1.0)
    with pytest.raises(ValueError, match="zip"):
        compared("x", "jobs/s", "y", ours=[1.0], theirs=[1.0, 2.0])


@pytest.mark.parametrize(
    ("bound", "value", "ratio", "kept"),
    [
        (Bound("ratio", "at least", 0.85), 0.0, 0.85, True),
        (Bound("ratio", "at least", 0.85), 9.0, 0.849, False),
        (Bound("ratio", "at least", 0.85), 9.0, None, False),
        (Bound("value", "at most", 10.0), 10.0, None, True),
        (Bound("value", "at most", 10.0), 10.1, None, False),
    ],
)
def test_bounds(bound: Bound, value: float, ratio: float | None, kept: bool) -> None:
    assert bound.kept(value, ratio) is kept


def test_a_row_says_its_bound_and_whether_it_is_kept() -> None:
    name = "browser.warm_page_jobs_per_second"
    row = {"name": name, "value": 8.12345, "unit": "jobs/s", "against": "x", "ratio": 0.8}
    assert with_bound(row) == {**row, "value": 8.123, "bound": "ratio at least 0.85", "ok": False}
    assert "bound" not in with_bound({**row, "name": "other"})
    assert with_bound({**row, "bound": "its own", "ok": True})["bound"] == "its own"
    assert name in BOUNDS
    assert b'"ok":false' in BenchRow(name=name, value=1.0, unit="jobs/s").line()


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([float(n) for n in range(1, 101)], 0.99) == 99.0
    assert percentile([7.0], 0.99) == 7.0


def test_the_median_lies_between_two_of_the_values() -> None:
    values = [float(n) for n in range(1, 13)]
    assert median_interval(values) == (3.0, 10.0), "of twelve: 96 % by the binomial distribution"
    assert median_interval(values[:6]) == (1.0, 6.0)
