"""How many runners fit into the memory that they may use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.runners.memory_fit import LEAST_EXPECTED_BYTES, expected_bytes, runners_that_fit

ONE = LEAST_EXPECTED_BYTES


@pytest.mark.parametrize(
    ("measured", "limit", "fit"),
    [
        ([], 4 * ONE, 4),
        ([], 1, 1),
        ([None], 4 * ONE, 3),
        ([1, 1], 4 * ONE, 3),
        ([2 * ONE], 8 * ONE, 3),
        ([2 * ONE, None], 8 * ONE, 2),
        ([ONE], ONE, 0),
        ([5 * ONE], ONE, 0),
    ],
)
def test_how_many_more_fit(measured: list[int | None], limit: int, fit: int) -> None:
    assert runners_that_fit(measured, limit) == fit


@given(st.lists(st.none() | st.integers(0, 4 * ONE), max_size=8), st.integers(0, 64 * ONE))
def test_what_fits_stays_below_the_limit(measured: list[int | None], limit: int) -> None:
    fit, expected = runners_that_fit(measured, limit), expected_bytes(measured)
    used = sum(expected if each is None else each for each in measured)
    assert fit >= 0
    assert fit <= (0 if measured else 1) or used + fit * expected <= limit
    assert used + (fit + 1) * expected > limit
