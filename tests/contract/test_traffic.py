"""Sums, differences and the text of what was used of the network."""

from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.contract.traffic import MAX_COUNT, NO_TRAFFIC, Traffic

COUNTS = st.integers(0, MAX_COUNT)
TRAFFIC = st.builds(Traffic, COUNTS, COUNTS, COUNTS)


@given(TRAFFIC)
def test_the_text_is_read_as_it_was_written(traffic: Traffic) -> None:
    assert Traffic.of_text(traffic.text) == traffic


def test_nothing_has_no_text() -> None:
    assert NO_TRAFFIC.text is None
    assert Traffic(0, 0, 1).text == "0 0 1"


@given(st.lists(TRAFFIC, min_size=1, max_size=4))
def test_a_sum_is_exact_until_it_reaches_the_largest_count(parts: list[Traffic]) -> None:
    whole = sum(parts, NO_TRAFFIC)
    assert whole.requests == min(MAX_COUNT, sum(part.requests for part in parts))
    assert whole.bytes_in == min(MAX_COUNT, sum(part.bytes_in for part in parts))
    assert whole.bytes_out == min(MAX_COUNT, sum(part.bytes_out for part in parts))


@given(TRAFFIC, TRAFFIC)
def test_a_difference_is_never_below_zero(earlier: Traffic, later: Traffic) -> None:
    growth = later.since(earlier)
    assert min(growth.requests, growth.bytes_in, growth.bytes_out) >= 0
    assert growth.bytes_in == max(0, later.bytes_in - earlier.bytes_in)
