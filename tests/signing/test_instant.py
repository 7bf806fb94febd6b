"""Instants as text."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from pageworker_sandbox.signing.instant import instant_text


def test_it_is_utc_with_whole_seconds() -> None:
    there = timezone(timedelta(hours=2))
    assert instant_text(datetime(2027, 1, 1, 1, 30, 5, 999, tzinfo=there)) == "2026-12-31T23:30:05Z"


def test_a_time_outside_of_the_calendar_is_an_error() -> None:
    with pytest.raises(OverflowError):
        instant_text(datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))))
    assert instant_text(datetime.max.replace(tzinfo=UTC)) == "9999-12-31T23:59:59Z"
