"""How long a stream entry has waited, by its id."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.intake.arrival import LONGEST_MS, waited_ms


@pytest.mark.parametrize(
    ("entry_id", "waited"),
    [
        (b"1000-0", 500),
        (b"1500-7", 0),
        (b"1-1", 1499),
        (b"9000-0", 0),
        (b"18446744073709551615-1", 0),
    ],
)
def test_an_entry_has_waited_since_its_id_says_so(entry_id: bytes, waited: int) -> None:
    assert waited_ms(entry_id, 1500) == waited


def test_an_id_that_is_no_time_is_none() -> None:
    assert waited_ms(b"1-1", LONGEST_MS + 2) == 0


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**53))
def test_a_wait_is_never_negative_and_never_too_long(ms: int, sequence: int, now_ms: int) -> None:
    waited = waited_ms(f"{ms}-{sequence}".encode(), now_ms)
    assert waited in (0, now_ms - ms)
    assert 0 <= waited <= LONGEST_MS
