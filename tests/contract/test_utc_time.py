"""Any number as a time."""

import pytest

from pageworker_supervisor.contract.utc_time import utc_text, utc_time


def test_a_time_is_in_utc() -> None:
    assert utc_text(0, "%Y-%m-%dT%H:%M:%SZ") == "1970-01-01T00:00:00Z"
    at = utc_time(0.5)
    assert at is not None
    assert at.isoformat(timespec="milliseconds") == "1970-01-01T00:00:00.500+00:00"


@pytest.mark.parametrize("number", [1e12, -1e12, 1e300, float("inf"), float("nan"), 10**400])
def test_a_number_that_is_no_time_is_a_question_mark(number: float) -> None:
    assert utc_time(number) is None
    assert utc_text(number, "%Y") == "?"
