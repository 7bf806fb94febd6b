"""Times of foreign numbers. Pure.

Numbers that come from Redis may be no time: who can write there may write any number. `fromtimestamp` raises for them.
"""

import datetime as dt


def utc_time(untrusted_seconds: float) -> dt.datetime | None:
    """The time of Unix seconds; None: they are before the year 1, or after 9999."""
    try:
        return dt.datetime.fromtimestamp(untrusted_seconds, dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None


def utc_text(untrusted_seconds: float, form: str) -> str:
    """The time of Unix seconds as strftime(3) writes it; `?`: it is none."""
    at = utc_time(untrusted_seconds)
    return "?" if at is None else at.strftime(form)
